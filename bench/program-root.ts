/** The root directory for real programs: busybox, esbuild, Biome, and what they work on. Made once. */

import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { unpackDebianPackage } from "../scripts/debian-package.ts";
import { unpackNpmPackage } from "../scripts/npm-package.ts";
import { REPOSITORY } from "../scripts/repository.ts";
import { BENCH_CACHE } from "./cache.ts";
import { generateLines } from "./lines.ts";

/** Counts changes of what {@link fill} makes. */
const VERSION = 2;

const BIOME = "@biomejs/cli-linux-x64-musl";
const ESBUILD = "@esbuild/linux-x64";

/** What esbuild bundles, in /work/node_modules. */
const BUNDLED = ["acorn", "iced-x86", "typescript"];

/**
 * What Biome reads, in /sources; pinned by the lock file, as our own sources would not be. (Some packages it formats for
 * minutes, even on the host.)
 */
const LINTED = ["commander/lib", "semver"];

interface LockFile {
  packages: Record<string, { version: string; integrity: string }>;
}

function lockedPackage(name: string): { version: string; integrity: string } {
  const lockFile: LockFile = JSON.parse(readFileSync(join(REPOSITORY, "package-lock.json"), "utf8"));
  return lockFile.packages[`node_modules/${name}`];
}

function addProgram(root: string, source: string, name: string): void {
  copyFileSync(source, join(root, "bin", name));
  chmodSync(join(root, "bin", name), 0o755);
}

function fill(root: string, bytes: number): void {
  for (const name of ["bin", "dev", "etc", "proc", "tmp", "work/node_modules", "sources"]) {
    mkdirSync(join(root, name), { recursive: true });
  }
  const installed = (name: string) => join(REPOSITORY, "node_modules", name);
  addProgram(root, join(unpackDebianPackage("busybox-static"), "bin/busybox"), "busybox");
  addProgram(root, join(installed(ESBUILD), "bin/esbuild"), "esbuild");
  const { version, integrity } = lockedPackage(BIOME);
  addProgram(root, join(unpackNpmPackage(BIOME, version, integrity), "biome"), "biome");
  for (const name of BUNDLED) {
    cpSync(installed(name), join(root, "work/node_modules", name), { recursive: true });
  }
  for (const name of LINTED) {
    cpSync(installed(name), join(root, "sources", name), { recursive: true });
  }
  writeFileSync(join(root, "sources/biome.json"), "{}\n");
  writeFileSync(join(root, "work/lines"), generateLines(bytes));
}

/**
 * @param bytes of generated input
 * @returns the directory; the programs run in /work, and Biome in /sources
 * @throws Error if something cannot be fetched
 */
export function programRoot(bytes: number): string {
  const versions = [lockedPackage(ESBUILD), lockedPackage(BIOME)].map(({ version }) => version);
  const root = join(BENCH_CACHE, ["root", VERSION, bytes, ...versions].join("-"));
  if (existsSync(root)) return root;
  mkdirSync(BENCH_CACHE, { recursive: true });
  const scratch = mkdtempSync(join(BENCH_CACHE, "new-root-"));
  try {
    fill(scratch, bytes);
    chmodSync(scratch, 0o755);
    renameSync(scratch, root);
  } catch (error) {
    rmSync(scratch, { recursive: true, force: true });
    if (!existsSync(root)) throw error; // otherwise somebody else was first
  }
  return root;
}
