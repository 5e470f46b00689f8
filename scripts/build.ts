/**
 * `npm run build` (and `npm install`): makes dist/.
 *
 *   dist/cli.cjs       the bundled command: what running a program takes
 *   dist/cli-*.cjs     the rest of it, loaded when it is needed
 *   dist/*.cjs.cache   V8's code caches of them
 *   dist/interp-N.wasm the parts of the interpreter, generated from the instruction definitions
 *   dist/interp-legacy-N.wasm  the same for 16- and 32-bit code
 *   dist/image.cpio    the built-in image: the programs of guests/ and a small /etc
 */

import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { buildGuests } from "./build-guests.ts";
import { buildImage } from "./build-image.ts";
import { bundleCommand } from "./bundle-command.ts";
import { DIST, REPOSITORY } from "./repository.ts";

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
  for (const [kind, name] of [
    ["long", "interp"],
    ["legacy", "interp-legacy"],
  ] as const)
    for (const [part, bytes] of generator.buildInterpreter(kind).entries())
      writeFileSync(join(DIST, `${name}-${part}.wasm`), bytes);
}

async function buildGuestsAndImage(): Promise<void> {
  await buildImage(await buildGuests());
}

/** What is run to find out what has to be compiled: each writes the caches of the chunks that it is the first to use. */
const RUNS = [
  "run hello",
  "run --stats --root / hello",
  "run --engine jit --jit-thresholds 1,1,1,0 hello",
  "run --engine js hello",
  "run --verbose --engine check=interp,js hello",
  "",
  "boot --kernel package.json",
  "disasm dist/guests/hello",
];

/** Compiles what these need, once and for all, and sees to it that V8 takes it. */
function writeCodeCache(): void {
  for (const purpose of ["write", "check"]) {
    for (const parameters of RUNS) {
      const command = [join(REPOSITORY, "osv-vm.js"), ...parameters.split(" ").filter(Boolean)];
      const program = spawnSync(process.execPath, command, {
        cwd: REPOSITORY,
        env: { ...process.env, OSV_VM_CODE_CACHE: purpose },
        input: "exit\n",
        stdio: ["pipe", "ignore", "pipe"],
      });
      if (program.error) throw program.error;
      if (purpose === "check" && program.status === 1) throw new Error(program.stderr.toString());
    }
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
