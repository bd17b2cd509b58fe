import type { Charge, Claim, HitOptions } from "../core/storage.js";
import type { Verdict } from "../core/strategy.js";

/**
 * What a hit charged to limits, by its verdicts.
 *
 * Nothing when a meta claim refuses: after a breach it may do so because it was charged, or may have refused
 * before; then too little is given back rather than too much.
 */
export function chargesOf(
  claims: readonly Claim[],
  verdicts: readonly Verdict[],
  mode: HitOptions["mode"],
): Charge[] {
  const barred = claims.some(
    ({ role }, i) => verdicts[i]?.allowed === false && (mode === "all" || role === "meta"),
  );
  if (barred) return [];
  return claims.flatMap((claim, i) => {
    const receipt = verdicts[i];
    return claim.role === "limit" && receipt?.allowed === true ? [{ claim, receipt }] : [];
  });
}
