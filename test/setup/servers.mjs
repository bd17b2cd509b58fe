// Makes sure that redis-server and memcached can be started by the tests, and installs what is missing.
// Exits with 1, saying what to do, when it cannot: the tests of the storages are never skipped.

import { spawnSync } from "node:child_process";

const servers = [
  { program: "redis-server", apt: "redis-server", brew: "redis" },
  { program: "memcached", apt: "memcached", brew: "memcached" },
];

const succeeds = (program, ...args) => spawnSync(program, args, { stdio: "ignore" }).status === 0;
const isMissing = ({ program }) => !succeeds(program, "--version");

function run(program, ...args) {
  console.log(`$ ${program} ${args.join(" ")}`);
  // Debian starts a server as soon as it is installed, except in single-user mode. The tests start their own.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  return spawnSync(program, args, { stdio: ["ignore", "inherit", "inherit"], env }).status === 0;
}

function installWithApt(packages) {
  const sudo = process.getuid() === 0 ? [] : ["sudo", "-n", "--preserve-env=DEBIAN_FRONTEND,RUNLEVEL"];
  const apt = (...args) => run(...sudo, "apt-get", "-qq", ...args);
  apt("update");
  return apt("install", "--yes", "--no-install-recommends", ...packages);
}

function install(missing) {
  if (succeeds("apt-get", "--version")) return installWithApt(missing.map(({ apt }) => apt));
  if (succeeds("brew", "--version")) return run("brew", "install", ...missing.map(({ brew }) => brew));
  return false;
}

const missing = servers.filter(isMissing);
if (missing.length > 0) install(missing);

const stillMissing = servers.filter(isMissing).map(({ program }) => program);
if (stillMissing.length > 0) {
  console.error(`The tests need ${stillMissing.join(" and ")} on the PATH and could not install it. Try one of:
  sudo apt-get install redis-server memcached
  brew install redis memcached
or take it from https://redis.io and https://memcached.org.`);
  process.exit(1);
}
