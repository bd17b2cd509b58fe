// The command line that every bench understands: --quick, --write, --dist=FOLDER.
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  strict: false,
  options: {
    quick: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
    dist: { type: "string" },
  },
});

/** Fewer rounds and smaller numbers: shows that all runs, and roughly how it stands. */
export const isQuick = values.quick === true;

/** Put what was measured into README.md, also from a quick or a partial run. */
export const isWritten = values.write === true;

/** The build under test: another one can be measured with `--dist`. */
export const dist = values.dist ?? fileURLToPath(new URL("../../dist", import.meta.url));

/** What stands on the command line beside options. */
export const names = positionals;

/** The options again, for a child process. */
export const passedOn = [`--dist=${dist}`, ...(isQuick ? ["--quick"] : [])];

/** A number for a full run, and one for a quick run. */
export const choose = (full, quick) => (isQuick ? quick : full);
