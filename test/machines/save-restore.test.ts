/** `boot --save` and `--restore`: a running system is put into a file and goes on from there. */

import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { debianKernel } from "../../scripts/debian-package.ts";
import { missingCompiler } from "../harness/compiler.ts";
import { GuestConsole } from "../harness/guest-console.ts";
import { buildInitrd, INIT_GREETING } from "../harness/initrd.ts";
import { OSV_VM } from "../harness/osv-vm.ts";
import { runProcess } from "../harness/process.ts";
import { describeWith, missingDebian, missingTool } from "../harness/requirements.ts";
import { Terminal } from "../harness/terminal.ts";

const PROMPT = "/ # ";
/** Ten times what it takes on an idle machine. */
const BOOT_MS = 240_000;

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "osv-vm-save-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const boot = (...options: readonly string[]) => [...OSV_VM, "boot", ...options];

/** Work for the scheduler, timers, pipes and the console, and no input. */
const BUSY_INIT = `#!/bin/sh
echo "${INIT_GREETING}"
mount -t devtmpfs dev /dev
mount -t proc proc /proc
i=0
while [ $i -lt 200 ]; do i=$((i+1)); echo turn $i $(cat /proc/uptime) | sha256sum; sleep 0.01; done
cat /proc/interrupts
poweroff -f
`;

describeWith([missingDebian()], "Linux", () => {
  let kernel = "";
  const consoles: GuestConsole[] = [];
  beforeAll(() => {
    kernel = debianKernel("linux-image-cloud-amd64");
  });
  afterEach(() => {
    for (const console of consoles.splice(0)) console.kill();
  });
  const start = (...options: readonly string[]) => {
    const console = new GuestConsole(boot(...options));
    consoles.push(console);
    return console;
  };

  it("saved in the middle of its boot and restored prints and becomes what it would have without", {
    timeout: 4 * BOOT_MS,
  }, async () => {
    mkdirSync(join(folder, "busy"));
    const initrd = buildInitrd(join(folder, "busy"), BUSY_INIT);
    const system = [
      ...["--kernel", kernel, "--initrd", initrd, "--append", "console=ttyS0 cryptomgr.notests"],
      ...["--memory", "128M", "--deterministic"],
    ];
    const [middle, ends] = [join(folder, "middle"), [join(folder, "end-1"), join(folder, "end-2")]];
    const run = async (...options: readonly string[]) => {
      const { stdout, stderr, status } = await runProcess(boot(...options), { timeout: BOOT_MS });
      expect([status, stderr.toString()]).toEqual([0, expect.stringMatching(/^\nosv-vm: saved to .*\n$/)]);
      return stdout.toString();
    };
    const LATE = "instructions=600000000";
    const whole = await run(...system, "--save", ends[0], "--save-at", LATE);
    const first = await run(...system, "--save", middle, "--save-at", "instructions=300000000");
    const second = await run("--restore", middle, "--save", ends[1], "--save-at", LATE);
    expect(whole).toMatch(/Run \/init/);
    expect(first).not.toMatch(/Run \/init/);
    expect(first + second).toBe(whole);
    expect(Buffer.compare(readFileSync(ends[0]), readFileSync(ends[1]))).toBe(0);
  });

  it("saved in a shell goes on with its variables, files and processes, as often as one likes", {
    timeout: 4 * BOOT_MS,
  }, async () => {
    const file = join(folder, "shell");
    const initrd = buildInitrd(folder);
    const first = start(
      ...["--kernel", kernel, "--initrd", initrd, "--append", "console=ttyS0 quiet cryptomgr.notests"],
      ...["--save", file, "--save-at", "text=now!"],
    );
    await first.waitFor(PROMPT, BOOT_MS);
    first.type("x=42; echo kept > /tmp/file; sleep 1000 & date +%s > /tmp/date; echo no''w!\n");
    expect(await first.end(60_000)).toBe(0);
    expect(first.errors).toMatch(/osv-vm: saved to .*\/shell: \d+\.\d MiB in \d+\.\d s/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);

    for (let turn = 0; turn < 2; turn++) {
      const console = start("--restore", file);
      // Typed before it is up: it waits.
      console.type("echo $x $(cat /tmp/file) $(ls /proc | grep -c '^[0-9]*$')\n");
      await console.waitFor(/42 kept \d+\r?\n/, BOOT_MS);
      // The system's clock goes on from where it was; the RTC has the host's time.
      console.type("echo $(($(date +%s) - $(cat /tmp/date))) rtc $(cat /sys/class/rtc/rtc0/since_epoch)!\n");
      const [, passed, rtc] =
        /(\d+) rtc (\d+)!\r?\n/.exec(await console.waitFor(/\d+ rtc \d+!\r?\n/, BOOT_MS)) ?? [];
      expect(Number(passed)).toBeLessThan(60);
      expect(Math.abs(Number(rtc) - Date.now() / 1000)).toBeLessThan(5);
      console.type("i=0; while [ $i -lt 50 ]; do /bin/true; i=$((i+1)); done; echo forks $((i+0))\n");
      await console.waitFor("forks 50", BOOT_MS);
      console.type("poweroff -f\n");
      expect(await console.end(60_000)).toBe(0);
    }
  });
});

/** Waits for ever, with interrupts on. */
const IDLE_KERNEL = `
    .set FLAGS, 3
    .code32
    .long 0x1badb002, FLAGS, -(0x1badb002 + FLAGS)
    .globl _start
_start:
    movb $0x41, %al
    movw $0x3f8, %dx
    outb %al, %dx
    sti
1:  hlt
    jmp 1b
`;

describeWith([missingCompiler("glibc")], "a machine's file", () => {
  let kernel = "";
  let file = "";
  beforeAll(async () => {
    kernel = join(folder, "idle");
    writeFileSync(`${kernel}.S`, IDLE_KERNEL);
    const link = ["-m32", "-nostdlib", "-static", "-no-pie", "-Wl,-Ttext=0x100000", "-Wl,--build-id=none"];
    execFileSync("gcc", [...link, "-o", kernel, `${kernel}.S`], { stdio: "pipe" });
    file = join(folder, "idle.saved");
    const saved = await runProcess(boot(kernel, "--memory", "16M", "--save", file, "--save-at", "text=A"));
    expect(saved.status).toBe(0);
  });

  const refusal = async (...options: readonly string[]) => {
    const { status, stderr, stdout } = await runProcess(boot(...options));
    expect([status, stdout.toString()]).toEqual([125, ""]);
    expect(stderr.toString()).toMatch(/^osv-vm: [^\n]+\n$/);
    return stderr.toString();
  };
  const copy = (name: string, bytes: Uint8Array) => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    return path;
  };

  it("is small for a small machine", () => {
    expect(statSync(file).size).toBeLessThan(40_000);
  });

  it("is refused in a sentence if it is none, is damaged or does not fit", async () => {
    const bytes = readFileSync(file);
    expect(await refusal("--restore", join(folder, "nothing"))).toMatch(/nothing: no such file or directory/);
    expect(await refusal("--restore", folder)).toMatch(/is a directory/);
    expect(await refusal("--restore", kernel)).toMatch(/idle: it is not a saved machine of osv-vm/);
    expect(await refusal("--restore", copy("short", bytes.subarray(0, 3000)))).toMatch(
      /short: it is cut off/,
    );
    const flipped = Uint8Array.from(bytes);
    flipped[2000] ^= 1;
    expect(await refusal("--restore", copy("flipped", flipped))).toMatch(/flipped: it is damaged/);
    const newer = Uint8Array.from(bytes);
    newer[8] = 9;
    expect(await refusal("--restore", copy("newer", newer))).toMatch(/newer: it has format 9/);
    expect(await refusal("--restore", file, "--memory", "32M")).toMatch(
      /has 16M of memory; leave out --memory/,
    );
    expect(await refusal("--restore", file, "--kernel", kernel)).toMatch(/has a system already/);
    expect(await refusal("--restore", file, "--device", "isa-debug-exit")).toMatch(/has other devices/);
  });

  it("is not begun if it cannot be written, and that is told before the machine starts", async () => {
    expect(await refusal(kernel, "--save", join(folder, "no", "where"))).toMatch(
      /--save .*where: no such file/,
    );
    expect(await refusal(kernel, "--save", folder)).toMatch(/is a directory/);
    expect(await refusal(kernel, "--save-at", "exit")).toMatch(/name the file with --save FILE/);
    expect(await refusal(kernel, "--save-at", "sunrise")).toMatch(/Write exit, text=TEXT or instructions=N/);
  });

  it("is written when the machine is left by a signal, with --save-at exit", async () => {
    const path = join(folder, "left");
    const console = new GuestConsole(boot("--restore", file, "--save", path, "--save-at", "exit"));
    await new Promise((resolve) => setTimeout(resolve, 2000));
    console.interrupt();
    expect(await console.end(30_000)).toBe(0);
    expect(existsSync(path)).toBe(true);
  });

  describeWith([missingTool("tmux")], "on a terminal", () => {
    it("is written on Ctrl-A s, again and again, and the machine runs on", async () => {
      const path = join(folder, "keys");
      const terminal = new Terminal(boot(kernel, "--memory", "16M", "--save", path));
      try {
        await terminal.waitFor("A");
        terminal.press("C-a", "s");
        await terminal.waitFor(/saved to .*keys: \d+\.\d MiB/);
        const first = statSync(path).ino;
        terminal.press("C-a", "s");
        await terminal.waitFor(/saved to[\s\S]*saved to/);
        expect(statSync(path).ino).not.toBe(first); // it was replaced, not written over
        terminal.press("C-a", "h");
        await terminal.waitFor("Ctrl-A s");
        terminal.press("C-a", "x");
        await terminal.waitFor("[status 0]");
      } finally {
        terminal.close();
      }
    });
  });
});
