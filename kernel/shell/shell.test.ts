import { afterEach, describe, expect, it } from "vitest";
import { runScript, Session } from "./testing/session.ts";

async function outputOf(script: string): Promise<string> {
  return (await runScript(script)).output;
}

describe("the shell, reading a script,", () => {
  it("runs commands one after the other and ends with the status of the last", async () => {
    expect(await runScript("echo one; echo two\nfalse\n")).toEqual({ output: "one\ntwo\n", status: 1 });
  });

  it("joins commands with && and ||", async () => {
    expect(await outputOf("true && echo a || echo b\nfalse && echo c || echo d; ! true; echo $?\n")).toBe(
      "a\nd\n1\n",
    );
  });

  it("expands variables, quotes and patterns", async () => {
    const script = `x='a  b' y=1; echo $x "$x" '$x' \${y}2 \${nothing:-default} \\$y
cd /root; touch one.c two.c .hidden 'a b'; echo *.c [ot]* '*' *" "* nothing*
`;
    expect(await outputOf(script)).toBe(
      "a b a  b $x 12 default $y\none.c two.c one.c two.c * a b nothing*\n",
    );
  });

  it("passes assignments in front of a command only to programs, and remembers those that stand alone", async () => {
    expect(await outputOf("A=1; A=2 echo $A; export A; env | head -n 99 | tail -n 1\n")).toBe("1\nA=1\n");
  });

  it("redirects, also with >> 2> and &>", async () => {
    const script = `cd /root; echo one > f; echo two >> f; cat < f; cat nowhere 2> err; cat err
cat nowhere &> both; wc -l both; > empty; wc -c empty; echo x > /nowhere/y; echo $?
`;
    expect(await outputOf(script)).toBe(
      "one\ntwo\ncat: nowhere: No such file or directory\n1 both\n0 empty\n/nowhere/y: No such file or directory\n1\n",
    );
  });

  it("connects commands with pipes, and a reader that leaves early ends the writer", async () => {
    expect(
      await outputOf(
        "echo 'b a' | wc -w; cat /dev/zero | head -n 0; echo $?; cat /dev/zero | true; echo done\n",
      ),
    ).toBe("2\n0\ndone\n");
  });

  it("gives the rest of the script to a command that reads standard input", async () => {
    expect(await outputOf("head -n 1 /dev/null; cat\nnot a command\n")).toBe("not a command\n");
  });

  it("takes a command over several lines, and ignores comments", async () => {
    expect(await outputOf("echo 'a\nb' && # comment\necho c \\\n d # more\n")).toBe("a\nb\nc d\n");
  });

  it("complains in words and goes on", async () => {
    const { output, status } = await runScript("nosuch\n/root\n| x\nls -Q\ncd a b\necho $?\necho 'open\n");
    expect(output).toBe(
      [
        "nosuch: command not found",
        "/root: is a directory, not a program",
        "syntax error near unexpected token `|'",
        "ls: invalid option -- 'Q'",
        "usage: ls [-aAlh1dtSrRF] [FILE…]",
        "cd: too many arguments",
        "1",
        "syntax error: unexpected end of file",
        "",
      ].join("\n"),
    );
    expect(status).toBe(2);
  });

  it("exits with a status and does not read on", async () => {
    expect(await runScript("exit 7; echo no\necho no\n")).toEqual({ output: "", status: 7 });
  });

  it("handles files", async () => {
    const script = `cd /root; mkdir -p a/b/c; echo text > a/b/f; cp -r a d; cat d/b/f; mv d/b e; ls e; ln -s f e/l
cat e/l; rm e/f; cat e/l; rm -r a d e; ls; rm a; rm -f a; rmdir /root/x; mkdir x x; cp x y; touch /dev/x/y
`;
    expect(await outputOf(script)).toBe(
      [
        "text",
        "c",
        "f",
        "text",
        "cat: e/l: No such file or directory",
        "rm: cannot remove 'a': No such file or directory",
        "rmdir: failed to remove '/root/x': No such file or directory",
        "mkdir: cannot create directory 'x': File exists",
        "cp: cannot copy 'x': is a directory (use -r)",
        "touch: cannot touch '/dev/x/y': No such file or directory",
        "",
      ].join("\n"),
    );
  });

  it("lists directories as ls -l does", async () => {
    const output = await outputOf(
      "cd /root; echo hello > file; mkdir dir; ln -s file link; ls -l; ls -F; ls -ld /dev/null\n",
    );
    expect(output).toMatch(
      /^total \d+\ndrwxr-xr-x 2 root root +\d+ Sep {2}9 01:46 dir\n-rw-r--r-- 1 root root +6 Sep/,
    );
    expect(output).toContain(" link -> file\n");
    expect(output).toContain("dir/\nfile\nlink@\n");
    expect(output).toMatch(/crw-rw-rw- 1 root root 1, 3 .* \/dev\/null\n/);
  });

  it("knows the machine", async () => {
    const output = await outputOf(
      "date; date '+%F %T'; uname -m; hostname box; hostname; dmesg | wc -l; ps | tail -n 1\n",
    );
    expect(output).toMatch(
      /^Sun Sep {2}9 01:46:40 UTC 2001\n2001-09-09 01:46:40\nx86_64\nbox\n\d+\n.* ps\n$|tail/,
    );
    expect(await outputOf("free | head -n 1; df /dev | head -n 1; mount -t devtmpfs\n")).toBe(
      "           total        used        free\nFilesystem 1K-blocks Used Available Use% Mounted on\n" +
        "devtmpfs on /dev type devtmpfs (rw,relatime)\n",
    );
  });

  it("prints files as hexadecimal numbers", async () => {
    expect(await outputOf("echo -n '0123456789abcdef0123456789abcdef0123456789abcdefxyz' | hexdump\n")).toBe(
      "00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|\n*\n" +
        "00000030  78 79 7a                                          |xyz|\n00000033\n",
    );
  });

  it("has help for every command", async () => {
    const names = (await outputOf("help\n")).matchAll(/^ {2}(\S+) {2,}\S/gm);
    const listed = [...names].map((match) => match[1]);
    expect(listed).toContain("ls");
    const each = await outputOf(`${listed.map((name) => `help '${name}'`).join("\n")}\n`);
    for (const name of listed) expect(each).toContain(`${name} `.trim());
    expect(each).not.toContain("no such command");
  });
});

describe("the shell, on a terminal,", () => {
  let session: Session;
  let end: Promise<number>;

  function start(): void {
    session = new Session(true);
    end = session.shell.run();
  }

  afterEach(async () => {
    session.send("\x03exit\r");
    await end;
  });

  /** Output since the last call, without what paints the line. */
  const painting = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*[A-Za-z]|\\r(?!\\n)`, "g");
  const plain = (): string => session.output.replace(painting, "");

  it("shows a prompt with the directory, and echoes what is typed once", async () => {
    start();
    await session.expect("/# ");
    session.send("cd root\r");
    await session.expect("/root# ");
    expect(plain()).toContain("/# cd root\r\n");
  });

  it("interrupts a command with Ctrl-C and goes on", async () => {
    start();
    await session.expect("/# ");
    session.send("sleep 100\r");
    await session.expect("sleep 100");
    await new Promise((resolve) => setTimeout(resolve, 20));
    session.send("\x03");
    await session.expect("^C\r\n");
    session.send("echo status $?\r");
    await session.expect("status 130\r\n");
  });

  it("gives keys to the command that runs, edited and echoed by the terminal", async () => {
    start();
    await session.expect("/# ");
    session.send("cat\r");
    await new Promise((resolve) => setTimeout(resolve, 20));
    session.send("typo\x7fe\r");
    await session.expect("type\r\n");
    session.send("\x04");
    await session.expect(/type\r\n.*\/# $/s);
  });

  it("keeps what is typed ahead", async () => {
    start();
    session.send("sleep 0.05\recho ahead\r");
    await session.expect("\nahead\r\n");
  });

  it("tells about jobs in the background", async () => {
    start();
    await session.expect("/# ");
    session.send("sleep 0.05 &\rjobs\rsleep 0.15\r\r");
    await session.expect(/\[1\] \d+\r\n/);
    await session.expect("[1]+  Running                 sleep 0.05\r\n");
    await session.expect("[1]+  Done                    sleep 0.05\r\n");
  });

  it("brings a job to the foreground, where Ctrl-C reaches it", async () => {
    start();
    await session.expect("/# ");
    session.send("sleep 50 &\r");
    await session.expect(/\[1\] \d+\r\n/);
    session.send("fg\r");
    await session.expect("\nsleep 50\r\n");
    await new Promise((resolve) => setTimeout(resolve, 20));
    session.send("\x03");
    await session.expect("^C\r\n");
    session.send("jobs; echo none\r");
    await session.expect("none\r\n");
    expect(plain()).not.toContain("Running");
  });

  it("completes commands, files and variables", async () => {
    start();
    await session.expect("/# ");
    session.send("mkdi\t/root/some\\ dir\rtouch /root/so\tfile\r");
    session.send("ls /root/so\t; echo $HO\t!\r");
    await session.expect("/root!\r\n");
    expect(plain()).toContain("\nfile\r\n");
  });

  it("asks for more when a command is not complete", async () => {
    start();
    await session.expect("/# ");
    session.send("echo 'one\rtwo'\r");
    await session.expect("> ");
    await session.expect("\none\r\ntwo\r\n");
  });

  it("follows the size of the terminal", async () => {
    start();
    await session.expect("/# ");
    session.resize(24, 20);
    session.send("cd root; touch aaaaaa bbbbbb cccccc; ls\r");
    await session.expect("\r\naaaaaa  cccccc\r\nbbbbbb\r\n");
  });

  it("ends at Ctrl-D", async () => {
    start();
    await session.expect("/# ");
    session.send("false\r\x04");
    expect(await end).toBe(1);
  });
});
