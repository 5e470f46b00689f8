/**
 * `npm run build` (and `npm install`): makes dist/.
 *
 *   dist/cli.js        the bundled command, in chunks that load when a subcommand needs them
 *   dist/interp.wasm   the interpreter, generated from the instruction definitions
 *   dist/image.cpio    the built-in image: the programs of guests/ and a small /etc
 */

import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { buildGuests } from "./build-guests.ts";
import { buildImage } from "./build-image.ts";
import { DIST, REPOSITORY } from "./repository.ts";

const INTERPRETER_GENERATOR = "cpu/engines/interp/build.ts";

/** Commander is CommonJS and asks for Node's own modules with require, which an ES module has to make. */
const CREATE_REQUIRE =
  'import { createRequire as createNodeRequire } from "node:module"; const require = createNodeRequire(import.meta.url);';

async function bundleCommand(): Promise<void> {
  const { metafile } = await build({
    absWorkingDir: REPOSITORY,
    entryPoints: { cli: "cli/main.ts" },
    outdir: DIST,
    bundle: true,
    splitting: true,
    chunkNames: "chunks/[name]-[hash]",
    platform: "node",
    target: "node20",
    format: "esm",
    external: ["iced-x86"], // finds its .wasm beside itself
    banner: { js: CREATE_REQUIRE },
    sourcemap: true,
    // Half as much to read at every start; names stay, for stack traces.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "none",
    metafile: true,
    logLevel: "warning",
  });
  removeOldChunks(new Set(Object.keys(metafile.outputs).map((path) => join(REPOSITORY, path))));
}

/** Their names have their contents' hash: those of the last build would stay for ever. */
function removeOldChunks(current: ReadonlySet<string>): void {
  const folder = join(DIST, "chunks");
  for (const name of readdirSync(folder)) {
    if (!current.has(join(folder, name))) rmSync(join(folder, name));
  }
}

async function buildInterpreter(): Promise<void> {
  const outfile = join(REPOSITORY, ".cache/run/interp-build.mjs");
  await build({
    absWorkingDir: REPOSITORY,
    entryPoints: [INTERPRETER_GENERATOR],
    outfile,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    packages: "external",
    logLevel: "warning",
  });
  const generator: { buildInterpreter(): Promise<Uint8Array> } = await import(outfile);
  writeFileSync(join(DIST, "interp.wasm"), await generator.buildInterpreter());
}

async function buildGuestsAndImage(): Promise<void> {
  await buildImage(await buildGuests());
}

/** In the order in which they run; `npm run build -- command image` makes only those. */
const STEPS = { command: bundleCommand, interpreter: buildInterpreter, image: buildGuestsAndImage };

const wanted = process.argv.slice(2);
for (const name of wanted) {
  if (!(name in STEPS))
    throw new Error(`build: no such step: ${name}; there are: ${Object.keys(STEPS).join(", ")}`);
}
if (wanted.length === 0) rmSync(DIST, { recursive: true, force: true });
mkdirSync(DIST, { recursive: true });
for (const [name, step] of Object.entries(STEPS)) {
  if (wanted.length === 0 || wanted.includes(name)) await step();
}
