/**
 * `npm run build` (and `npm install`): makes dist/.
 *
 *   dist/cli.cjs       the bundled command; subcommands are run when they are needed
 *   dist/cli.cjs.cache V8's code cache of it
 *   dist/interp-N.wasm the parts of the interpreter, generated from the instruction definitions
 *   dist/interp-legacy.wasm  the same for 16- and 32-bit code, in one part
 *   dist/image.cpio    the built-in image: the programs of guests/ and a small /etc
 */

import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { buildGuests } from "./build-guests.ts";
import { buildImage } from "./build-image.ts";
import { bundleCommand } from "./bundle-command.ts";
import { DIST, REPOSITORY } from "./repository.ts";

const COMMAND = join(DIST, "cli.cjs");
const INTERPRETER_GENERATOR = "cpu/engines/interp/build.ts";

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
  const generator: { buildInterpreter(kind: "long" | "legacy"): readonly Uint8Array[] } = await import(
    outfile
  );
  for (const [part, bytes] of generator.buildInterpreter("long").entries())
    writeFileSync(join(DIST, `interp-${part}.wasm`), bytes);
  writeFileSync(join(DIST, "interp-legacy.wasm"), generator.buildInterpreter("legacy")[0]);
}

async function buildGuestsAndImage(): Promise<void> {
  await buildImage(await buildGuests());
}

/** Compiles what a run of a program needs, once and for all, and sees to it that V8 takes it. */
function writeCodeCache(): void {
  rmSync(`${COMMAND}.cache`, { force: true });
  for (const purpose of ["write", "check"]) {
    const program = spawnSync(process.execPath, [join(REPOSITORY, "osv-vm.js"), "run", "hello"], {
      env: { ...process.env, OSV_VM_CODE_CACHE: purpose },
      stdio: "ignore",
    });
    if (program.error) throw program.error;
    if (purpose === "check" && program.status === 1)
      throw new Error("V8 rejects the code cache that it has made");
  }
}

/** In the order in which they run; `npm run build -- command image` makes only those. */
const STEPS = {
  command: bundleCommand,
  interpreter: buildInterpreter,
  image: buildGuestsAndImage,
};

const wanted = process.argv.slice(2);
for (const name of wanted) {
  if (!(name in STEPS))
    throw new Error(`build: no such step: ${name}; there are: ${Object.keys(STEPS).join(", ")}`);
}
mkdirSync(DIST, { recursive: true });
for (const [name, step] of Object.entries(STEPS)) {
  if (wanted.length === 0 || wanted.includes(name)) await step();
}
writeCodeCache();
