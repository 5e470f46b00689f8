#!/usr/bin/env node
// Starts the built command, dist/cli.cjs, which `npm install` makes, and loads the other chunks of it (dist/cli-*.cjs;
// scripts/bundle-command.ts) when they are needed. V8's code cache beside each saves the time of compiling it at every
// start; a Node of another version ignores it.
//
// A CommonJS module, unlike everything else here: Node's loader of ES modules takes 10 ms more.

const { closeSync, fstatSync, openSync, readSync, writeFileSync } = require("node:fs");
const { Script } = require("node:vm");

const DIRECTORY = `${__dirname}/dist/`;
// For the build: "write" makes the caches that are missing, "check" fails where V8 does not take one.
const cacheMode = process.env.OSV_VM_CODE_CACHE;

/** Files are read here: they are needed for a moment only, and fresh memory costs 5 ms a MiB. */
const scratch = Buffer.allocUnsafeSlow(2 ** 20);

/** A file's contents, until the next is read; undefined if it is not there. */
function read(path) {
  let file;
  try {
    file = openSync(path, "r");
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    return undefined;
  }
  const { size } = fstatSync(file);
  const bytes = size <= scratch.length ? scratch.subarray(0, size) : Buffer.allocUnsafeSlow(size);
  readSync(file, bytes, 0, size, 0);
  closeSync(file);
  return bytes;
}

/** Functions of chunks that have not been needed, by name; what the others export. */
const definitions = new Map();
const exported = new Map();

/** Reads a file of chunks. @returns is it there? */
function readChunks(name) {
  const filename = `${DIRECTORY}${name}.cjs`;
  const source = read(filename)?.latin1Slice(); // the build writes ASCII only
  if (source === undefined) return false;
  const cachedData = read(`${filename}.cache`);
  const script = new Script(source, { filename, cachedData });
  if (cacheMode === "write" && cachedData === undefined)
    process.on("exit", () => writeFileSync(`${filename}.cache`, script.createCachedData()));
  if (cacheMode === "check" && script.cachedDataRejected !== false) {
    process.stderr.write(`${filename}: V8 rejects its code cache\n`);
    process.exit(1);
  }
  script.runInThisContext()((key, evaluate) => definitions.set(key, evaluate));
  return true;
}

/** What a chunk exports. */
function chunk(name) {
  const known = exported.get(name);
  if (known !== undefined) return known;
  if (!definitions.has(name)) readChunks(name);
  const result = definitions.get(name)(require, chunk, load, DIRECTORY) ?? {};
  exported.set(name, result);
  return result;
}

/** import() of a chunk, or of a module of Node's. */
async function load(name) {
  return name.startsWith("node:") ? require(name) : chunk(name);
}

if (readChunks("cli")) {
  chunk("cli");
} else {
  process.stderr.write("osv-vm: not built yet: run `npm install` in the folder of osv-vm first\n");
  process.exitCode = 125;
}
