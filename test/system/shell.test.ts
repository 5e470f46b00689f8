/** `node osv-vm` with nothing: the banner, and the shell, from a pipe and in a real terminal. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { missingCompiler } from "../harness/compiler.ts";
import { isStandIn, OSV_VM } from "../harness/osv-vm.ts";
import { runProcess } from "../harness/process.ts";
import { describeWith, missingTool } from "../harness/requirements.ts";
import { Terminal } from "../harness/terminal.ts";

const notStandIn = isStandIn ? "OSV_VM_COMMAND stands in for osv-vm" : undefined;

async function script(lines: string, ...parameters: string[]) {
  const outcome = await runProcess([...OSV_VM, ...parameters], { input: lines });
  return { ...outcome, text: outcome.stdout.toString(), errors: outcome.stderr.toString() };
}

describeWith([notStandIn], "the shell, from a pipe,", () => {
  it("comes after OSv's banner", async () => {
    const { text, errors, status } = await script("exit 3\n");
    expect(text).toMatch(/^OSv v\d+\.\d+\.\d+\nBooted up in \d+\.\d\d ms\nCmdline: shell\n$/);
    expect(errors).toBe("");
    expect(status).toBe(3);
  });

  it("runs builtins", async () => {
    const { text, errors } = await script(
      "echo one two 'three  four' 2>&1\npwd; cd /etc; pwd\ncat hostname\nls -a /var\nuname\ntrue && echo yes || echo no\n",
    );
    expect(errors).toBe("");
    expect(text).toContain("/root\n/etc\nosv\n");
    expect(text).toContain("Linux\nyes\n");
  });

  it("has files that programs of the image see", async () => {
    const { text } = await script(
      "mkdir /tmp/d; echo content > /tmp/d/f; cat < /tmp/d/f; hello | wc -l; hello you\n",
    );
    expect(text).toContain("content\n");
    expect(text).toContain("Hello, you, from Linux on x86_64!\n");
  });

  it("says what it does not know", async () => {
    const { errors } = await script("nosuchprogram\ncat /nowhere\ncd /nowhere\n");
    expect(errors).toMatch(/nosuchprogram: command not found/);
    expect(errors).toMatch(/cat: \/nowhere: no such file or directory/i);
    expect(errors).toMatch(/cd: \/nowhere: no such file or directory/i);
  });

  it("runs applications side by side", async () => {
    const { text } = await script("primes 200000 2 & primes 100000 2 &\nsleep 0.1\nps\n");
    expect(text).toMatch(/ primes/);
  });

  it("shows the kernel: ps free df mount uptime dmesg date env", async () => {
    const { text, errors, status } = await script(
      "ps\nfree\ndf\nmount\nuptime\ndmesg\ndate\nenv\nls /proc/self/fd\n",
    );
    expect(errors).toBe("");
    expect(status).toBe(0);
    expect(text).toMatch(/^ +\d+ .*\[shell\]$/m);
    expect(text).toMatch(/^proc on \/proc type proc /m);
    expect(text).toMatch(/^PATH=/m);
  });

  it("mounts a directory of the host, for itself but not for programs", async () => {
    const folder = mkdtempSync(join(tmpdir(), "osv-vm-"));
    try {
      writeFileSync(join(folder, "greeting"), "from the host\n");
      const { text, errors } = await script(
        `mount -t hostfs ${folder} /mnt\ncat /mnt/greeting\nmount -t hostfs -o ro ${folder}/nowhere /mnt\n`,
      );
      expect(text).toContain("from the host\n");
      expect(errors).toMatch(/mount: .*no such file or directory/i);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("with --root is in that directory, the image's programs at hand", async () => {
    const folder = mkdtempSync(join(tmpdir(), "osv-vm-"));
    try {
      writeFileSync(join(folder, "here"), "1\n");
      const { text } = await script("ls\nhello root\necho changed > here\n", "--root", folder, "--ro");
      expect(text).toContain("here\n");
      expect(text).toContain("Hello, root, from Linux on x86_64!\n");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describeWith([notStandIn, missingTool("tmux"), missingCompiler("glibc")], "the shell, in a terminal,", () => {
  let terminal: Terminal | undefined;

  afterEach(() => {
    terminal?.close();
    terminal = undefined;
  });

  async function open(): Promise<Terminal> {
    terminal = new Terminal(OSV_VM, { columns: 100, rows: 30 });
    await terminal.waitFor("/root#");
    return terminal;
  }

  it("shows the message of the day and a prompt", async () => {
    const shell = await open();
    await shell.waitFor(/OSv v[\d.]+\nBooted up in [\d.]+ ms\nCmdline: shell\nPrograms: .*hello/);
    shell.type("exit 5\n");
    await shell.waitFor("[status 5]");
  });

  it("edits the line", async () => {
    const shell = await open();
    shell.type("ecXho helo");
    shell.press("Left", "l", "Home", "Right", "Right", "Delete", "End", "Enter");
    await shell.waitFor(/\nhello\n\/root#/);
    shell.type("echo one two");
    shell.press("C-w");
    shell.type("three");
    shell.press("Enter");
    await shell.waitFor(/\none three\n/);
  });

  it("remembers lines", async () => {
    const shell = await open();
    shell.type("echo first\n");
    await shell.waitFor(/\nfirst\n\/root#/);
    shell.type("echo second\n");
    await shell.waitFor(/\nsecond\n/);
    shell.press("Up", "Up", "Enter");
    await shell.waitFor(/second\n\/root# echo first\nfirst\n/);
  });

  it("completes commands and file names", async () => {
    const shell = await open();
    shell.type("mandel");
    shell.press("Tab");
    await shell.waitFor("/root# mandelbrot");
    shell.press("C-u");
    shell.type("cat /etc/host");
    shell.press("Tab");
    shell.type("n");
    shell.press("Tab", "Enter");
    await shell.waitFor(/\nosv\n/);
  });

  it("runs programs that own the terminal, and Ctrl-C ends them", async () => {
    const shell = await open();
    shell.type("life -d 20\n");
    await shell.waitFor(/generation \d+, \d+ alive/);
    shell.type("q");
    await shell.waitFor(/\n\/root#\n*$/);
    shell.type("primes 100000000000 4\n");
    await shell.settle(300);
    shell.press("C-c");
    await shell.waitFor(/\n\/root#\n*$/);
    shell.type("echo $?\n");
    await shell.waitFor(/\n130\n/);
  });

  it("draws mandelbrot in colour", async () => {
    const shell = await open();
    shell.type("mandelbrot -c 40 -r 10\n");
    await shell.waitFor(/▀{40}/);
    expect(shell.colouredScreen()).toMatch(/38;5;\d+/);
  });

  it("stops a job with Ctrl-Z and brings it back with fg", async () => {
    const shell = await open();
    shell.type("life -d 50\n");
    await shell.waitFor(/generation/);
    shell.press("C-z");
    await shell.waitFor(/\n\/root#\n*$/);
    shell.type("jobs\n");
    await shell.waitFor(/life/);
    shell.type("fg\n");
    await shell.waitFor(/generation \d+/);
    shell.press("C-c");
    await shell.waitFor(/\n\/root#\n*$/);
  });
});
