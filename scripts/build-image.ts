/** Makes dist/image.cpio, the built-in image: what `osv-vm` boots when no other root is given. */

import { readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Guests } from "./build-guests.ts";
import { CpioWriter } from "./cpio-writer.ts";
import { DIST, REPOSITORY } from "./repository.ts";

/** From hier(7), as much as our programs and busybox look for. */
const DIRECTORIES = [
  "dev",
  "etc",
  "init",
  "mnt",
  "proc",
  "root",
  "run",
  "usr",
  "usr/bin",
  "usr/lib",
  "usr/sbin",
  "var",
  "var/log",
];

export async function buildImage(guests: Guests): Promise<void> {
  const names = guests.programs.map((path) => basename(path));
  const about =
    guests.missing === undefined
      ? `Programs: ${names.join(" ")}; each says what it does with --help.`
      : `This image has no programs: ${guests.missing}.`;
  const archive = new CpioWriter();
  for (const path of DIRECTORIES) archive.directory(path);
  archive.directory("tmp", 0o1777);
  archive.directory("var/tmp", 0o1777);
  for (const path of ["bin", "sbin", "lib"]) archive.symlink(path, `usr/${path}`);
  archive.file("etc/motd", `${about}\n\`help\` tells about the shell, \`exit\` leaves.\n`);
  archive.file("etc/hostname", "osv\n");
  archive.file("etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.1.1\tosv\n");
  archive.file(
    "etc/passwd",
    "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n",
  );
  archive.file("etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n");
  archive.file("etc/os-release", readFileSync(join(REPOSITORY, "scripts/os-release")));
  for (const path of guests.programs) archive.file(`usr/bin/${basename(path)}`, readFileSync(path), 0o755);
  writeFileSync(join(DIST, "image.cpio"), archive.finish());
}
