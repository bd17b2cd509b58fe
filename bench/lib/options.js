// The command line that every bench understands.
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const USAGE = `npm run bench -- [NAME ...] [--quick] [--write] [--dist=FOLDER]
  NAME           only these benches, printed only; all of them without a name, and README.md anew
  --quick        small numbers, printed only
  --write        puts what was measured into README.md, too
  --dist=FOLDER  another build`;

function parsed() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        help: { type: "boolean", default: false },
        quick: { type: "boolean", default: false },
        write: { type: "boolean", default: false },
        dist: { type: "string" },
      },
    });
  } catch (error) {
    console.error(`${error.message}\n${USAGE}`);
    process.exit(2);
  }
}

const { values, positionals } = parsed();
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}

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
