/** Programs of Debian packages, fetched with apt (which verifies them) into .cache/debian/. */

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { CACHE } from "./repository.ts";

const folder = join(CACHE, "debian");

/**
 * Unpacks a package of the machine's own Debian release.
 * @returns the directory that holds its files
 */
export function unpackDebianPackage(name: string): string {
  const target = join(folder, name);
  if (existsSync(target)) return target;
  const scratch = join(folder, `.${name}-${process.pid}`);
  mkdirSync(scratch, { recursive: true });
  try {
    execFileSync("apt-get", ["download", name], { cwd: scratch, stdio: "pipe" });
    const archive = readdirSync(scratch).find((file) => file.endsWith(".deb"));
    if (archive === undefined) throw new Error(`apt-get download ${name} left no file`);
    execFileSync("dpkg-deb", ["-x", archive, "files"], { cwd: scratch, stdio: "pipe" });
    renameSync(join(scratch, "files"), target);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return target;
}

/**
 * A kernel of Debian's.
 * @param flavour the metapackage: "linux-image-cloud-amd64"; what it depends on is the kernel itself
 * @returns the path of its vmlinuz
 */
export function debianKernel(flavour: string): string {
  const depends = execFileSync("apt-cache", ["depends", "--important", flavour], { encoding: "utf8" });
  const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
  if (name === undefined) throw new Error(`${flavour} depends on no kernel:\n${depends}`);
  const boot = join(unpackDebianPackage(name), "boot");
  const image = readdirSync(boot).find((file) => file.startsWith("vmlinuz-"));
  if (image === undefined) throw new Error(`${name} holds no vmlinuz`);
  return join(boot, image);
}
