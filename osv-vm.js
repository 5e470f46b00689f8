#!/usr/bin/env node
// Starts the built command, dist/cli.cjs, which `npm install` makes. V8's code cache beside it saves the time of
// compiling 0.7 MB of JavaScript at every start; a Node of another version ignores it.

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { setFlagsFromString } from "node:v8";
import { Script } from "node:vm";

setFlagsFromString("--wasm-lazy-validation");

const filename = fileURLToPath(new URL("./dist/cli.cjs", import.meta.url));
const cacheFile = `${filename}.cache`;

/** A file's bytes, or undefined if it is not there. */
function read(path) {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    return undefined;
  }
}

const source = read(filename);
if (source === undefined) {
  process.stderr.write("osv-vm: not built yet: run `npm install` in the folder of osv-vm first\n");
  process.exitCode = 125;
} else {
  const isWriting = process.env.OSV_VM_CODE_CACHE === "write"; // the build does that, after a run of a program
  const script = new Script(`(function (require, moduleUrl) {${source}\n})`, {
    filename,
    cachedData: isWriting ? undefined : read(cacheFile),
  });
  if (isWriting) process.on("exit", () => writeFileSync(cacheFile, script.createCachedData()));
  script.runInThisContext()(createRequire(filename), pathToFileURL(filename).href);
}
