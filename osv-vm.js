#!/usr/bin/env node
// Starts the built command, dist/cli.cjs, which `npm install` makes. V8's code cache beside it saves the time of
// compiling 0.7 MB of JavaScript at every start; a Node of another version ignores it.
//
// A CommonJS module, unlike everything else here: Node's loader of ES modules takes 10 ms more.

const { readFileSync, writeFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const { join } = require("node:path");
const { pathToFileURL } = require("node:url");
const { setFlagsFromString } = require("node:v8");
const { Script } = require("node:vm");

/** A file's contents, or undefined if it is not there. */
function read(path, encoding) {
  try {
    return readFileSync(path, encoding);
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    return undefined;
  }
}

const filename = join(__dirname, "dist/cli.cjs");
const cacheFile = `${filename}.cache`;
const cacheMode = process.env.OSV_VM_CODE_CACHE; // for the build: write it after a run of a program; check it

// V8's options that make the start fast; the code cache is good for the flags that it was made with, so they come first.
const START_FLAGS = [
  // The interpreter's handlers are compiled when they are first called; what the build has made, and tested, V8 need not
  // validate before that either.
  "--wasm-lazy-validation",
  // The JIT says which branches are hardly ever taken: V8 then keeps slow paths, and what they spill, out of the way.
  "--experimental-wasm-branch-hinting",
  // What runs at the start runs once: neither optimising it nor collecting its garbage on more threads pays.
  // cli/warm-up.ts gives both back.
  "--no-opt",
  "--no-parallel-scavenge",
];
const setStartFlags = () => {
  for (const flag of START_FLAGS) setFlagsFromString(flag);
};
setStartFlags();

const source = read(filename, "latin1"); // the build writes ASCII only
if (source === undefined) {
  process.stderr.write("osv-vm: not built yet: run `npm install` in the folder of osv-vm first\n");
  process.exitCode = 125;
} else {
  const script = new Script(source, {
    filename,
    cachedData: cacheMode === "write" ? undefined : read(cacheFile),
  });
  if (cacheMode === "write") {
    process.on("exit", () => {
      setStartFlags();
      writeFileSync(cacheFile, script.createCachedData());
    });
  }
  if (cacheMode === "check" && script.cachedDataRejected !== false) process.exit(1);
  script.runInThisContext()(createRequire(filename), pathToFileURL(filename).href);
}
