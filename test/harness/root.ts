/** Root directories for guests: busybox, a few files in /etc, generated data in /work. */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { keepAs } from "../../scripts/cache-entry.ts";
import { unpackDebianPackage } from "../../scripts/debian-package.ts";
import { CACHE } from "../../scripts/repository.ts";
import { type Missing, missingDebian, missingTool } from "./requirements.ts";

/** Every generated file was last changed then (2020-09-13 12:26:40 UTC). */
const MODIFIED = 1_600_000_000;

/** Why there can be no root with busybox here. */
export function missingBusybox(): Missing {
  return missingDebian() ?? missingTool("unshare", "util-linux");
}

/** xorshift32 (Marsaglia 2003): the same data on every machine. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

const WORDS =
  "address block cache descriptor entry fault guest handler index journal kernel loader memory node offset page queue register segment thread unit vector window".split(
    " ",
  );

function words(count: number, random: () => number): string {
  let text = "";
  for (let line = 0; line < count; line++) {
    const length = 1 + (random() % 9);
    text += `${Array.from({ length }, () => WORDS[random() % WORDS.length]).join(" ")}\n`;
  }
  return text;
}

function table(rows: number, random: () => number): string {
  return Array.from({ length: rows }, (_, row) => {
    const name = WORDS[random() % WORDS.length];
    return `${row}\t${name}\t${random() % 1000}\t${((random() % 100000) / 100).toFixed(2)}\n`;
  }).join("");
}

/** The files under /work, in which the programs run. */
function generate(work: string): void {
  const random = createRandom(2463534242);
  const binary = Uint8Array.from({ length: 100_000 }, random);
  writeFileSync(join(work, "binary"), binary);
  writeFileSync(join(work, "text"), words(2000, random));
  writeFileSync(join(work, "other"), words(300, random));
  writeFileSync(join(work, "table"), table(500, random));
  writeFileSync(join(work, "zeros"), new Uint8Array(70_000));
  writeFileSync(join(work, "empty"), "");
  writeFileSync(join(work, "numbers"), Array.from({ length: 1000 }, () => `${random() % 5000}\n`).join(""));
  writeFileSync(join(work, "no-newline"), "one\ntwo\nthree");
  writeFileSync(join(work, "dos"), "one\r\ntwo\r\n\tthree\r\n");
  writeFileSync(join(work, "tabs"), "a\tb\tc\n\tindented\n        eight\n");
  writeFileSync(join(work, "utf8"), "naïve café Ünïcödé 日本語 🙂\n".repeat(20));
  const old = words(60, random).split("\n");
  writeFileSync(join(work, "old"), old.join("\n"));
  old.splice(10, 3, "a new line", "another new line");
  old.splice(40, 1);
  writeFileSync(join(work, "new"), old.join("\n"));
  mkdirSync(join(work, "tree/a/b/c"), { recursive: true });
  mkdirSync(join(work, "tree/empty"));
  for (const name of ["one.c", "two.h", "a/three.c", "a/b/four.txt", "a/b/c/five.c", "a/.hidden"]) {
    writeFileSync(join(work, "tree", name), `/* ${name} */\n${words(random() % 20, random)}`);
  }
  symlinkSync("../one.c", join(work, "tree/a/link"));
  symlinkSync("nowhere", join(work, "tree/dangling"));
  linkSync(join(work, "tree/one.c"), join(work, "tree/hard"));
  chmodSync(join(work, "tree/two.h"), 0o640);
  chmodSync(join(work, "tree/a/three.c"), 0o755);
  const pack = (command: string[], file: string) =>
    writeFileSync(join(work, file), execFileSync(command[0] ?? "", command.slice(1), { cwd: work }));
  pack(["gzip", "-nc", "text"], "text.gz");
  pack(["bzip2", "-c", "text"], "text.bz2");
  pack(["xz", "-c", "text"], "text.xz");
  pack(["xz", "--format=lzma", "-c", "text"], "text.lzma");
  const busybox = join(unpackDebianPackage("busybox-static"), "bin/busybox");
  pack([busybox, "tar", "cf", "-", "tree", "text"], "archive.tar");
  pack(["sh", "-c", `find tree text | ${busybox} cpio -o -H newc`], "archive.cpio");
  writeFileSync(join(work, "archive.ar"), arArchive({ "one.txt": "first\n", "two.txt": "the second\n" }));
}

/** An archive of ar(5). */
function arArchive(files: Record<string, string>): string {
  const members = Object.entries(files).map(([name, text]) => {
    const header = `${name}/`.padEnd(16) + "0".padEnd(12) + "0".padEnd(6).repeat(2) + "100644".padEnd(8);
    return `${header}${String(text.length).padEnd(10)}\`\n${text}${text.length % 2 ? "\n" : ""}`;
  });
  return `!<arch>\n${members.join("")}`;
}

function eachPath(folder: string, visit: (path: string) => void): void {
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (lstatSync(path).isDirectory()) eachPath(path, visit);
    visit(path);
  }
}

/** Fills a root that is only ever copied. */
function fillTemplate(template: string): void {
  for (const name of ["bin", "dev", "dev/pts", "etc", "proc", "tmp", "work"]) mkdirSync(join(template, name));
  chmodSync(join(template, "tmp"), 0o1777);
  const busybox = join(unpackDebianPackage("busybox-static"), "bin/busybox");
  copyFileSync(busybox, join(template, "bin/busybox"));
  chmodSync(join(template, "bin/busybox"), 0o755);
  for (const name of ["sh", "cat", "echo", "true", "ls"]) symlinkSync("busybox", join(template, "bin", name));
  writeFileSync(
    join(template, "etc/passwd"),
    "root:x:0:0:root:/root:/bin/sh\nguest:x:1000:1000::/:/bin/sh\n",
  );
  writeFileSync(join(template, "etc/group"), "root:x:0:\nguest:x:1000:\n");
  symlinkSync("pts/ptmx", join(template, "dev/ptmx"));
  const isRoot = process.getuid?.() === 0;
  if (isRoot) {
    for (const [name, major, minor] of [
      ["null", 1, 3],
      ["zero", 1, 5],
      ["full", 1, 7],
      ["random", 1, 8],
      ["urandom", 1, 9],
      ["tty", 5, 0],
    ] as const) {
      execFileSync("mknod", ["-m", "666", join(template, "dev", name), "c", String(major), String(minor)]);
    }
  } else {
    writeFileSync(join(template, "dev/null"), "");
  }
  generate(join(template, "work"));
  eachPath(join(template, "work"), (path) => lutimesSync(path, MODIFIED, MODIFIED));
}

/** The template; several test processes may want it at once, and one of them makes it. */
function findTemplate(): string {
  const version = createHash("sha256")
    .update(readFileSync(import.meta.filename))
    .digest("hex")
    .slice(0, 12);
  const template = join(CACHE, "roots", `template-${version}`);
  if (existsSync(template)) return template;
  mkdirSync(join(CACHE, "roots"), { recursive: true });
  const scratch = mkdtempSync(join(CACHE, "roots/new-"));
  try {
    fillTemplate(scratch);
    keepAs(template, scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return template;
}

/** Makes a fresh copy of the root for one test; the caller removes it. */
export function createRoot(): string {
  const template = findTemplate();
  const root = mkdtempSync(join(CACHE, "roots/root-"));
  chmodSync(root, 0o755);
  execFileSync("cp", ["-a", "--reflink=auto", `${template}/.`, root]);
  return root;
}

export function removeRoot(root: string): void {
  rmSync(root, { recursive: true, force: true });
}

/** Copies a file or directory of the host into a root. */
export function addToRoot(root: string, source: string, target: string): void {
  cpSync(source, join(root, target), { recursive: true, verbatimSymlinks: true });
}

/** A directory's names, types, modes, sizes, links and contents as text, to compare two of them. */
export function describeTree(folder: string): string[] {
  const lines: string[] = [];
  eachPath(folder, (path) => {
    const stat = lstatSync(path);
    const name = path.slice(folder.length + 1);
    const mode = stat.mode.toString(8);
    if (stat.isSymbolicLink()) lines.push(`${mode} ${name} -> ${readlinkSync(path)}`);
    else if (stat.isFile()) lines.push(`${mode} ${stat.nlink} ${name} ${contents(path)}`);
    else lines.push(`${mode} ${name}`);
  });
  return lines;
}

function contents(path: string): string {
  const bytes = readFileSync(path);
  return bytes.length > 200
    ? `${bytes.length} bytes, ${checksum(bytes)}`
    : JSON.stringify(bytes.toString("latin1"));
}

/** FNV-1a, enough to tell files apart in a test's output. */
function checksum(bytes: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16);
}
