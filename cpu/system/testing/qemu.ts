/** QEMU as an oracle for whole-PC tests: what a test image prints to port E9H there. Needs nasm and qemu-system-x86. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const IMAGES = join(import.meta.dirname, "images");
const SECONDS = 60;
/** ISA debug exit: the status is twice the value plus one; test images write 0. */
const FINISHED = 1;

/** Names of the missing programs, for the reason why a test is skipped. */
export function missingPrograms(): string[] {
  return ["nasm", "qemu-system-x86_64"].filter(
    (name) => spawnSync("sh", ["-c", `command -v ${name}`], { stdio: "ignore" }).status !== 0,
  );
}

/** Assembles an image, and runs it under QEMU. */
export function runUnderQemu(name: string): { readonly image: Uint8Array; readonly output: string } {
  const folder = mkdtempSync(join(tmpdir(), "osv-vm-image-"));
  try {
    const image = join(folder, "image");
    const output = join(folder, "output");
    const assembled = spawnSync("nasm", ["-f", "bin", "-o", image, `${name}.asm`], {
      cwd: IMAGES,
      encoding: "utf8",
    });
    if (assembled.status !== 0) throw new Error(assembled.stderr);
    const machine = "-accel tcg -cpu max -m 64 -display none -no-reboot -nodefaults";
    const devices = `-device isa-debug-exit,iobase=0xf4,iosize=4 -debugcon file:${output}`;
    const qemu = spawnSync("qemu-system-x86_64", [...`${machine} ${devices}`.split(" "), "-kernel", image], {
      encoding: "utf8",
      timeout: SECONDS * 1000,
    });
    if (qemu.status !== FINISHED) throw new Error(`QEMU: ${qemu.status ?? "timeout"} ${qemu.stderr}`);
    return { image: new Uint8Array(readFileSync(image)), output: readFileSync(output, "latin1") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
