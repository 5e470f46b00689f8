/** Whole systems, unmodified, on the emulated PC: what their consoles print, and how they end. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { debianKernel, unpackDebianPackage } from "../../scripts/debian-package.ts";
import { REPOSITORY } from "../../scripts/repository.ts";
import { missingCompiler } from "../harness/compiler.ts";
import { GuestConsole } from "../harness/guest-console.ts";
import { buildInitrd, INIT_GREETING } from "../harness/initrd.ts";
import { OSV_VM } from "../harness/osv-vm.ts";
import { runProcess } from "../harness/process.ts";
import { describeWith, missingDebian, missingTool } from "../harness/requirements.ts";
import { Terminal } from "../harness/terminal.ts";
import { extractVmlinux, withoutLinuxNotes } from "../harness/vmlinux.ts";

const PROMPT = "/ # ";
/** Ten times what it takes on an idle machine. */
const BOOT_MS = 240_000;
const COMMAND_LINE = "console=ttyS0 quiet cryptomgr.notests";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "osv-vm-boot-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describeWith([missingDebian()], "Debian's cloud kernel", () => {
  let kernel = "";
  let initrd = "";
  const consoles: GuestConsole[] = [];
  beforeAll(() => {
    kernel = debianKernel("linux-image-cloud-amd64");
    initrd = buildInitrd(folder);
  });
  afterEach(() => {
    for (const console of consoles.splice(0)) console.kill();
  });

  const command = (append = COMMAND_LINE, options: readonly string[] = []) => [
    ...[...OSV_VM, "boot", "--kernel", kernel, "--initrd", initrd, "--append", append],
    ...options,
  ];

  const start = (append?: string, options?: readonly string[]) => {
    const console = new GuestConsole(command(append, options));
    consoles.push(console);
    return console;
  };

  /** Types a command; returns its echo (which may be wrapped) and what it printed. */
  const run = async (console: GuestConsole, line: string, milliseconds = 60_000): Promise<string> => {
    console.type(`${line}; echo "[status:$?]"\n`);
    const printed = await console.waitFor(/\[status:\d+\]\r?\n/, milliseconds);
    await console.waitFor(PROMPT, milliseconds);
    return printed.replaceAll("\r", "");
  };

  it.each(["interp", "jit"])(
    "boots to a shell that works: processes, time, arithmetic; and poweroff ends us with status 0 (%s)",
    {
      timeout: 4 * BOOT_MS,
    },
    async (engine) => {
      const console = start(COMMAND_LINE, ["--engine", engine]);
      await console.waitFor(INIT_GREETING, BOOT_MS);
      await console.waitFor(PROMPT, BOOT_MS);
      const cpuinfo = await run(console, "cat /proc/cpuinfo");
      expect(cpuinfo).toMatch(/model name\s+: osv-vm/);
      expect(cpuinfo).toMatch(/flags\s+:.* hypervisor /);
      expect(await run(console, "cat /proc/cmdline")).toContain(COMMAND_LINE);
      expect(
        await run(
          console,
          "i=0; while [ $i -lt 1000 ]; do /bin/true; i=$((i+1)); done; echo forks $i",
          BOOT_MS,
        ),
      ).toContain("forks 1000\n");
      const digest = execFileSync("sha256sum", [join(unpackDebianPackage("busybox-static"), "bin/busybox")]);
      expect(await run(console, "sha256sum /bin/busybox")).toContain(digest.toString().slice(0, 64));
      const seconds = Number(/\d{9,}/.exec(await run(console, "date +%s"))?.[0]);
      expect(Math.abs(seconds - Date.now() / 1000)).toBeLessThan(5);
      const interrupts = await run(console, "cat /proc/interrupts");
      expect(interrupts).toMatch(/ttyS0/);
      expect(interrupts).toMatch(/LOC:\s+[1-9]/);
      console.type("poweroff -f\n");
      expect(await console.end(60_000)).toBe(0);
    },
  );

  it("finds KVM's interface, its timers and its tables", { timeout: 2 * BOOT_MS }, async () => {
    const console = start("console=ttyS0 cryptomgr.notests earlyprintk=serial,ttyS0,115200");
    const log = await console.waitFor(INIT_GREETING, BOOT_MS);
    for (const line of [
      /Hypervisor detected: KVM/,
      /kvm-clock: Using msrs 4b564d01 and 4b564d00/,
      /tsc: Detected 1000\.000 MHz processor/,
      /TSC deadline timer available/,
      /x2apic enabled/,
      /IOAPIC\[0\]: apic_id 0, version 32/,
      /hpet0: 3 comparators, 64-bit 100\.000000 MHz counter/,
      /ACPI: PM: \(supports S0 S5\)/,
      /PCI: MMCONFIG for domain 0000/,
      /ttyS0 at I\/O 0x3f8 \(irq = 4, base_baud = 115200\) is a 16550A/,
      /serio: i8042 KBD port at 0x60,0x64 irq 1/,
      /rtc_cmos .* setting system clock to/,
      /DMI: osv-vm/,
    ]) {
      expect(log).toMatch(line);
    }
    for (const line of [/ACPI (BIOS )?(Error|Warning)/, /Firmware Bug/, /\bBUG:/, /WARNING:/, /Call Trace/]) {
      expect(log).not.toMatch(line);
    }
  });

  it("starts again on reboot, and ends instead with --no-reboot", { timeout: 4 * BOOT_MS }, async () => {
    const console = start();
    await console.waitFor(PROMPT, BOOT_MS);
    console.type("reboot -f\n");
    await console.waitFor(INIT_GREETING, BOOT_MS);
    await console.waitFor(PROMPT, BOOT_MS);
    console.type("poweroff -f\n");
    expect(await console.end(60_000)).toBe(0);

    const once = start(COMMAND_LINE, ["--no-reboot"]);
    await once.waitFor(PROMPT, BOOT_MS);
    once.type("reboot -f\n");
    expect(await once.end(60_000)).toBe(0);
  });

  describeWith([missingTool("lz4")], "uncompressed", () => {
    it("boots by its 64-bit entry point and by PVH's", { timeout: 4 * BOOT_MS }, async () => {
      const vmlinux = extractVmlinux(readFileSync(kernel));
      for (const [name, content] of [
        ["vmlinux", vmlinux],
        ["vmlinux-pvh", withoutLinuxNotes(vmlinux)],
      ] as const) {
        const path = join(folder, name);
        writeFileSync(path, content);
        const console = new GuestConsole([
          ...[...OSV_VM, "boot", path, "--initrd", initrd],
          ...["--append", COMMAND_LINE],
        ]);
        consoles.push(console);
        await console.waitFor(PROMPT, BOOT_MS);
        console.type("poweroff -f\n");
        expect(await console.end(60_000)).toBe(0);
      }
    });
  });

  it("runs the same twice on instruction time, to the nanosecond, and the same again compiled", {
    timeout: 6 * BOOT_MS,
  }, async () => {
    const logs: string[] = [];
    for (const engine of ["interp", "interp", "jit"]) {
      const console = start(`${COMMAND_LINE} loglevel=7`, ["--deterministic", "--engine", engine]);
      logs.push(await console.waitFor(INIT_GREETING, BOOT_MS));
      console.kill();
    }
    expect(logs[1]).toBe(logs[0]);
    expect(logs[2]).toBe(logs[0]);
    expect(logs[0]).toMatch(/\[ +\d+\.\d+\] Run \/init/);
  });

  it("says what is wrong with a damaged kernel or RAM disk", { timeout: 2 * BOOT_MS }, async () => {
    const cut = join(folder, "vmlinuz-cut");
    writeFileSync(cut, readFileSync(kernel).subarray(0, 5_000_000));
    const refused = await runProcess([...OSV_VM, "boot", "--kernel", cut]);
    expect(refused.stderr.toString()).toMatch(
      /^osv-vm: .*vmlinuz-cut: is cut off: \d+ bytes of kernel are promised/,
    );
    expect(refused.status).toBe(125);

    // Linux itself finds out about a truncated RAM disk; we carry on.
    const whole = initrd;
    initrd = join(folder, "initrd-cut.gz");
    writeFileSync(initrd, readFileSync(whole).subarray(0, 100_000));
    const console = start(`${COMMAND_LINE} panic=-1`, ["--no-reboot"]);
    await console.waitFor(/Kernel panic - not syncing/, BOOT_MS);
    expect(await console.end(60_000)).toBe(0); // panic=-1 resets
    initrd = whole;
  });

  describeWith([missingTool("tmux")], "on a terminal", () => {
    it("passes keys through, and Ctrl-A x leaves", { timeout: 2 * BOOT_MS }, async () => {
      const terminal = new Terminal(command());
      try {
        await terminal.waitFor(/^\/ #\s*$/m, BOOT_MS);
        terminal.type("echo $((6*7))x");
        terminal.press("Enter");
        await terminal.waitFor("42x");
        terminal.type("sleep 100");
        terminal.press("Enter");
        await terminal.settle();
        terminal.press("C-c"); // the guest's
        terminal.type("echo after");
        terminal.press("Enter");
        await terminal.waitFor(/^after$/m);
        terminal.press("C-a", "h");
        await terminal.waitFor("Ctrl-A x");
        terminal.press("C-a", "x");
        await terminal.waitFor("[status 0]");
      } finally {
        terminal.close();
      }
    });
  });
});

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
      const [ours, theirs] = await Promise.all([
        runProcess([...OSV_VM, "boot", kernel, "--device", DEVICE], { timeout: BOOT_MS }),
        runProcess(
          [
            ...["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-kernel", kernel, "-device", DEVICE],
            ...["-serial", "stdio", "-display", "none", "-no-reboot"],
          ],
          { timeout: BOOT_MS },
        ),
      ]);
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
