// Measurements that need a process of their own.
import { fork } from "node:child_process";
import { passedOn } from "./options.js";

/** Runs `children/<name>.js` and gives the one message that it sends. */
export function measureInChild(name, args, nodeOptions = []) {
  const file = new URL(`../children/${name}.js`, import.meta.url);
  const child = fork(file, [...args.map(String), ...passedOn], { execArgv: nodeOptions });
  return new Promise((resolve, reject) => {
    let answer;
    child.once("message", (message) => {
      answer = message;
    });
    child.once("exit", (code) => {
      if (answer === undefined) reject(new Error(`${name} ${args.join(" ")} ended with ${code}.`));
      else resolve(answer);
    });
  });
}

/** Sends a child's one message, and ends it with all its timers. */
export function answer(message) {
  process.send(message, () => process.exit(0));
}
