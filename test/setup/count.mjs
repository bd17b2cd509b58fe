// Prints "N passed, N failed" for vitest's JSON report: node count.mjs <report> <exit code of the run>

import { readFileSync } from "node:fs";

const [reportPath, exitCode] = process.argv.slice(2);

/** No report means that a step before the tests failed: one failure. */
function readReport() {
  try {
    return JSON.parse(readFileSync(reportPath, "utf8"));
  } catch {
    return { numPassedTests: 0, numFailedTests: 1, testResults: [] };
  }
}

const { numPassedTests, numFailedTests, testResults } = readReport();

// A file that could not be loaded has no failed test and is one failure too.
const brokenFiles = testResults.filter(
  ({ status, assertionResults }) =>
    status === "failed" && !assertionResults.some((result) => result.status === "failed"),
);
const failed = numFailedTests + brokenFiles.length;

// So is a run that failed for another reason, such as an unhandled error.
console.log(`${numPassedTests} passed, ${failed === 0 && exitCode !== "0" ? 1 : failed} failed`);
