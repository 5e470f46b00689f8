/** Kernels of our own, of a few instructions or with checks of the whole machine. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { REPOSITORY } from "../../scripts/repository.ts";
import { missingCompiler } from "../harness/compiler.ts";
import { GuestConsole } from "../harness/guest-console.ts";
import { OSV_VM } from "../harness/osv-vm.ts";
import { runProcess } from "../harness/process.ts";
import { describeWith, missingTool } from "../harness/requirements.ts";

/** Ten times what it takes on an idle machine. */
const BOOT_MS = 60_000;

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "osv-vm-kernels-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describeWith([missingCompiler("glibc")], "the kernel of guests/kernel", () => {
  const DEVICE = "isa-debug-exit,iobase=0xf4,iosize=4";
  let kernel = "";
  beforeAll(() => {
    kernel = join(folder, "kernel.elf");
    execFileSync("sh", [join(REPOSITORY, "guests/kernel/build.sh"), kernel], { stdio: "pipe" });
  });

  it("finds nothing wrong with the machine", { timeout: BOOT_MS }, async () => {
    const outcome = await runProcess([...OSV_VM, "boot", kernel, "--device", DEVICE], { timeout: BOOT_MS });
    const lines = outcome.stdout.toString().trim().split("\n");
    expect(lines.filter((line) => !line.startsWith("ok: "))).toEqual(["all is well"]);
    expect(lines.length).toBeGreaterThan(45);
    expect(outcome.status).toBe(33);
  });

  describeWith([missingTool("qemu-system-x86_64", "qemu-system-x86")], "under QEMU", () => {
    it("says the same", { timeout: BOOT_MS }, async () => {
      // One after the other: the kernel measures timers, and QEMU misses some where it has to share a processor.
      const ours = await runProcess([...OSV_VM, "boot", kernel, "--device", DEVICE], { timeout: BOOT_MS });
      const theirs = await runProcess(
        [
          ...["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-kernel", kernel, "-device", DEVICE],
          ...["-serial", "stdio", "-display", "none", "-no-reboot"],
        ],
        { timeout: BOOT_MS },
      );
      expect(ours.stdout.toString()).toBe(theirs.stdout.toString());
      expect(theirs.status).toBe(33);
    });
  });
});

/** A multiboot kernel of a few instructions. */
const MULTIBOOT_SOURCE = `
    .set FLAGS, 3
    .text
    .code32
    .long 0x1badb002, FLAGS, -(0x1badb002 + FLAGS)
    .globl _start
_start:
    cmpl $0x2badb002, %eax
    jne bad
    movl 16(%ebx), %esi          # the command line, to the serial port
next:
    lodsb
    testb %al, %al
    jz good
    movw $0x3f8, %dx
    outb %al, %dx
    jmp next
good:
    movb $0x15, %al
    outb %al, $0xf4
bad:
    ud2
`;

describeWith([missingCompiler("glibc")], "a multiboot kernel", () => {
  const build = (name: string, source: string): string => {
    const path = join(folder, name);
    writeFileSync(`${path}.S`, source);
    const link = ["-m32", "-nostdlib", "-static", "-no-pie", "-Wl,-Ttext=0x100000", "-Wl,--build-id=none"];
    execFileSync("gcc", [...link, "-o", path, `${path}.S`], { stdio: "pipe" });
    return path;
  };

  it("gets its command line and ends us through isa-debug-exit", async () => {
    const kernel = build("hello", MULTIBOOT_SOURCE);
    const device = "isa-debug-exit,iobase=0xf4,iosize=4";
    const outcome = await runProcess([
      ...OSV_VM,
      "boot",
      kernel,
      "--append",
      "hello, serial",
      "--device",
      device,
    ]);
    expect(outcome.stdout.toString()).toBe("hello, serial");
    expect(outcome.status).toBe(0x15 * 2 + 1);
  });

  it("that faults without an IDT is reported as a triple fault, with its registers and code", async () => {
    const kernel = build(
      "fault",
      MULTIBOOT_SOURCE.replace("movb $0x15, %al", "movl $0xabcd1234, %ecx\n    ud2"),
    );
    const outcome = await runProcess([...OSV_VM, "boot", kernel, "--append", "x"]);
    const report = outcome.stderr.toString();
    expect(report).toMatch(/triple fault/);
    expect(report).toMatch(/RCX 00000000abcd1234/);
    expect(report).toMatch(/Last branches[\s\S]*-> [0-9a-f]{16}\n[\s\S]*#UD/);
    expect(report).toMatch(/ud2/);
    expect(outcome.status).toBe(1);
  });

  it("that halts for ever is not waited for", async () => {
    const kernel = build("halt", MULTIBOOT_SOURCE.replace("movb $0x15, %al", "cli\n    hlt"));
    const outcome = await runProcess([...OSV_VM, "boot", kernel, "--append", "x"]);
    expect(outcome.stderr.toString()).toMatch(/halted with interrupts disabled/);
    expect(outcome.status).toBe(1);
  });

  it("that faults in its own handler for ever can be left", async () => {
    const kernel = build(
      "faults",
      MULTIBOOT_SOURCE.replace(
        "movb $0x15, %al",
        [
          "movl $0xd0000000, %esp", // where nothing is: it takes what is pushed for a long time
          "movl $bad, %eax", // the handler of #UD, which is another one
          "movw %ax, idt + 6 * 8",
          "movw %cs, idt + 6 * 8 + 2",
          "movw $0x8e00, idt + 6 * 8 + 4",
          "shrl $16, %eax",
          "movw %ax, idt + 6 * 8 + 6",
          "lidt idtr",
          "jmp bad",
          ".data",
          "idtr: .word 63",
          ".long idt",
          "idt: .skip 64",
          ".text",
        ].join("\n    "),
      ),
    );
    const console = new GuestConsole([...OSV_VM, "boot", kernel, "--append", "x"]);
    await console.waitFor("x", 20_000);
    await new Promise((resolve) => setTimeout(resolve, 500));
    console.interrupt();
    expect(await console.end(10_000)).toBe(0);
  });

  it("that floods the serial port does not make us grow", async () => {
    const kernel = build(
      "flood",
      MULTIBOOT_SOURCE.replace("jz good", "jz flood").replace(
        "good:",
        "flood:\n    movw $0x3f8, %dx\n    movl $3000000, %ecx\nagain:\n    outb %al, %dx\n    loop again\ngood:",
      ),
    );
    const device = "isa-debug-exit,iobase=0xf4,iosize=4";
    const outcome = await runProcess(
      [...OSV_VM, "boot", kernel, "--append", "x", "--device", device, "--stats"],
      { timeout: 120_000 },
    );
    expect(outcome.stdout.length).toBe(3_000_001);
    const peak = Number(/peak memory +([\d,]+) MiB/.exec(outcome.stderr.toString())?.[1].replace(",", ""));
    expect(peak).toBeLessThan(400);
  });
});
