/** Programs that own the terminal, driven through a real one (tmux), screen by screen the same as on the host. */

import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { compile, missingCompiler } from "../harness/compiler.ts";
import { guestCommand, hostCommand, isStandIn } from "../harness/osv-vm.ts";
import { describeWith, missingTool } from "../harness/requirements.ts";
import { createRoot, missingBusybox, removeRoot } from "../harness/root.ts";
import { Terminal } from "../harness/terminal.ts";

const requirements = [missingBusybox(), missingTool("tmux"), missingCompiler("glibc")];

/** One step of a session: keys to press (text is typed, "<Name>" is a key), and what then appears. */
type Step = readonly [keys: readonly string[], expected: RegExp | string];

const SHOWS_SIZE = `
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>
static void on_winch(int number) { (void)number; }
int main(void) {
  struct winsize size;
  sigaction(SIGWINCH, &(struct sigaction){.sa_handler = on_winch}, NULL);
  for (const char *why = "";; why = "SIGWINCH: ") {
    ioctl(0, TIOCGWINSZ, &size);
    printf("%s%d rows, %d columns\\n", why, size.ws_row, size.ws_col);
    fflush(stdout);
    pause();
  }
}
`;

const DIES_IN_RAW_MODE = `
#include <signal.h>
#include <termios.h>
int main(void) {
  struct termios raw;
  tcgetattr(0, &raw);
  cfmakeraw(&raw);
  tcsetattr(0, TCSANOW, &raw);
  return raise(SIGKILL);
}
`;

describeWith(requirements, "in a terminal,", () => {
  let roots: string[] = [];
  let terminals: Terminal[] = [];

  beforeEach(() => {
    roots = [];
    terminals = [];
  });

  afterEach(() => {
    for (const terminal of terminals) terminal.close();
    for (const root of roots) removeRoot(root);
  });

  function start(program: string[], where: "host" | "guest", size?: { columns: number; rows: number }) {
    const root = createRoot();
    roots.push(root);
    const options = { root, cwd: "/work", env: { TERM: "screen" } };
    const command = where === "host" ? hostCommand(program, options) : guestCommand(program, options);
    const terminal = new Terminal(command, size);
    terminals.push(terminal);
    return { terminal, root };
  }

  /** Starts a C program in the guest; afterwards the terminal's settings are shown. */
  function startC(text: string, size: { columns: number; rows: number }) {
    const root = createRoot();
    roots.push(root);
    writeFileSync(join(root, "program.c"), text);
    copyFileSync(compile(join(root, "program.c"), "glibc"), join(root, "bin/program"));
    const terminal = new Terminal(guestCommand(["/bin/program"], { root }), {
      ...size,
      afterwards: "stty -a",
    });
    terminals.push(terminal);
    return { terminal };
  }

  function press(terminal: Terminal, keys: readonly string[]) {
    for (const key of keys) {
      const name = /^<(.+)>$/.exec(key)?.[1];
      if (name === undefined) terminal.type(key);
      else terminal.press(name);
    }
  }

  /** Does the same on the host and in the guest and compares every screen. Returns both roots. */
  async function compareSessions(program: string[], steps: readonly Step[]) {
    const host = start(program, "host");
    const guest = start(program, "guest");
    for (const [keys, expected] of steps) {
      for (const { terminal } of [host, guest]) {
        press(terminal, keys);
        await terminal.waitFor(expected);
      }
      const expectedScreen = await host.terminal.settle();
      expect(await guest.terminal.settle()).toEqual(expectedScreen);
      expect(guest.terminal.cursor()).toBe(host.terminal.cursor());
    }
    return { host: host.root, guest: guest.root };
  }

  it("vi edits a file", async () => {
    const saved = await compareSessions(
      ["/bin/busybox", "vi", "other"],
      [
        [[], /other.* 1\/300/],
        [["<PageDown>"], /other/],
        [["5G"], /5\/300/],
        [
          ["dd", "O", "a new line, mis-typd", "<BSpace>", "<BSpace>", "ed", "<Escape>"],
          "a new line, mis-tyed",
        ],
        [["0", "w", "x", "u"], "a new line"],
        [["/kernel", "<Enter>"], /other/],
        [["<C-f>", "yy", "p", "<Down>", "<Up>", "<Right>", "iZ", "<Escape>"], /Z/],
        [[":%s/page/PAGE/g", "<Enter>"], "PAGE"],
        [[":wq", "<Enter>"], /\[status 0\]/],
      ],
    );
    const edited = readFileSync(join(saved.guest, "work/other"), "utf8");
    expect(edited).toContain("a new line");
    expect(edited).toBe(readFileSync(join(saved.host, "work/other"), "utf8"));
  });

  it("less shows, searches and leaves", async () => {
    await compareSessions(
      ["/bin/busybox", "less", "table"],
      [
        [[], "table"],
        [[" "], /(^|\n)4\d\t? /],
        [["/499", "<Enter>"], "499"],
        [["g"], /^0 /],
        [["G"], "END"],
        [["b", "j", "k"], /4[0-9][0-9]/],
        [["q"], /\[status 0\]/],
      ],
    );
  });

  it("ash edits its command line and remembers it", async () => {
    await compareSessions(
      ["/bin/busybox", "sh"],
      [
        [[], "/work #"],
        [["echo helo", "<Left>", "l", "<Enter>"], "hello"],
        [["<Up>", "<Home>", "<C-k>", "pwd", "<Enter>"], "/work\n"],
        [["echo one two", "<C-w>", "three", "<C-a>", "<C-e>", "<Enter>"], "one three"],
        [["echo tre", "<Tab>", "on", "<Tab>", "<Enter>"], /\ntree\/one.c/],
        [["<C-c>"], "/work #"],
        [["exit 4", "<Enter>"], /\[status 4\]/],
      ],
    );
  });

  /** Starts an applet that reads, and waits until it does. */
  async function startReader(...applet: string[]): Promise<Terminal> {
    const script = `echo ready; exec /bin/busybox ${applet.join(" ")}`;
    const { terminal } = start(["/bin/busybox", "sh", "-c", script], "guest");
    await terminal.waitFor("ready");
    return terminal;
  }

  it("Ctrl-C ends a program that waits, with status 130", async () => {
    const terminal = await startReader("cat");
    terminal.type("a line\n");
    await terminal.waitFor("a line\na line");
    terminal.press("C-c");
    await terminal.waitFor("[status 130]");
  });

  it("Ctrl-C ends a program that computes, with status 130", async () => {
    const { terminal } = start(["/bin/busybox", "sh", "-c", "echo busy; while :; do :; done"], "guest");
    await terminal.waitFor("busy");
    terminal.press("C-c");
    await terminal.waitFor("[status 130]");
  });

  it("Ctrl-\\ ends it with status 131, and Ctrl-D is end of file", async () => {
    const quit = await startReader("cat");
    quit.type("x\n");
    await quit.waitFor("x\nx");
    quit.press("C-\\");
    await quit.waitFor("[status 131]");
    const end = await startReader("wc", "-c");
    end.type("four\n");
    await end.waitFor("four");
    end.press("C-d");
    await end.waitFor(/^ *5\n+\[status 0\]/m);
  });

  it("canonical mode edits the line before the program sees it", async () => {
    await compareSessions(
      ["/bin/busybox", "sh", "-c", "echo ready; exec /bin/busybox cat -A"],
      [
        [[], "ready"],
        [["abx", "<BSpace>", "c", "<Enter>"], "abc$"],
        [["words to erase", "<C-w>", "kept", "<Enter>"], "words to kept$"],
        [["gone", "<C-u>", "new", "<Enter>"], "new$"],
        [["<C-v>", "<C-a>", "<Enter>"], "^A$"],
        [["<C-d>"], /\[status 0\]/],
      ],
    );
  });

  it("a program knows the terminal's size, and hears when it changes", async () => {
    const { terminal } = startC(SHOWS_SIZE, { columns: 90, rows: 30 });
    await terminal.waitFor("30 rows, 90 columns");
    terminal.resize(100, 40);
    await terminal.waitFor("SIGWINCH: 40 rows, 100 columns");
    terminal.resize(70, 20);
    await terminal.waitFor("SIGWINCH: 20 rows, 70 columns");
  });

  // (A stand-in cannot do that: it is osv-vm which has to put back what it changed.)
  it.skipIf(isStandIn)("the terminal is as it was when a program was killed in raw mode", async () => {
    const { terminal } = startC(DIES_IN_RAW_MODE, { columns: 200, rows: 24 });
    await terminal.waitFor("[status 137]");
    await terminal.waitFor(/[^-]icanon.* echo /s);
  });
});
