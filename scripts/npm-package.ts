/** Packages of the npm registry that guests are made of, fetched pinned into .cache/npm/. */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { keepAs } from "./cache-entry.ts";
import { CACHE } from "./repository.ts";

const folder = join(CACHE, "npm");

/**
 * Fetches and unpacks one version of a package.
 * @param integrity what its `dist.integrity` is: "sha512-…"
 * @returns the directory of its package.json
 */
export function unpackNpmPackage(name: string, version: string, integrity: string): string {
  const target = join(folder, `${name.replace("/", "+")}@${version}`);
  if (existsSync(target)) return join(target, "package");
  const scratch = join(folder, `.${process.pid}-${version}`);
  mkdirSync(scratch, { recursive: true });
  try {
    execFileSync("npm", ["pack", "--silent", `${name}@${version}`], { cwd: scratch, stdio: "pipe" });
    const archive = readdirSync(scratch).find((file) => file.endsWith(".tgz"));
    if (archive === undefined) throw new Error(`npm pack ${name}@${version} left no file`);
    const actual = `sha512-${createHash("sha512")
      .update(readFileSync(join(scratch, archive)))
      .digest("base64")}`;
    if (actual !== integrity) throw new Error(`${name}@${version}: integrity is ${actual}, not ${integrity}`);
    execFileSync("tar", ["-xzf", archive], { cwd: scratch });
    rmSync(join(scratch, archive));
    keepAs(target, scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return join(target, "package");
}
