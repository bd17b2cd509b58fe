import type { Charge, Claim, HitOptions } from "./storage.js";
import type { Verdict } from "./strategy.js";

/** What a hit charged to limits, by its verdicts: nothing when a meta claim refused. */
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
