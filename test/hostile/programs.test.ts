/**
 * Programs that misbehave at run time: they end as on the host, in bounded time and memory, and of those that die a
 * person reads one line.
 */

import { spawn } from "node:child_process";
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { REPOSITORY } from "../../scripts/repository.ts";
import { compile, missingCompiler } from "../harness/compiler.ts";
import { OSV_VM_RUN } from "../harness/osv-vm.ts";
import { type Outcome, runProcess } from "../harness/process.ts";
import { describeWith, missingTool } from "../harness/requirements.ts";

/** A machine with little memory: what fills it is soon done. */
const OURS = [...OSV_VM_RUN, "--memory", "64M"];
/** On the host the same limits, so that nothing is filled there. */
const LIMITED = ["sh", "-c", 'ulimit -v 600000; ulimit -n 1024; ulimit -c 0; "$@"; exit $?', "limited"];
const TIMEOUT = 60_000;
/** --memory, what files in memory may take, the compiled interpreter, Node itself, and what its heap grows to. */
const PEAK_MEMORY = 450;

const SIGNALLED = [
  ...[
    "jump-unmapped",
    "jump-null",
    "jump-data",
    "jump-noncanonical",
    "jump-kernel",
    "return-wild",
    "read-null",
  ],
  ...["read-noncanonical", "read-kernel", "write-text", "write-constant", "stack-wild", "stack-noncanonical"],
  ...["past-file", "recurse", "recurse-with-handler", "huge-frame", "illegal", "too-long", "privileged"],
  ...[
    "control-register",
    "port",
    "interrupts-off",
    "breakpoint",
    "divide-zero",
    "divide-overflow",
    "float-trap",
  ],
  ...["x87-trap", "misaligned", "abort", "kill-realtime", "signal-storm", "fault-forever", "handler-wild"],
  ...["fault-blocked", "spin-until-alarm", "bad-frame"],
];

/** Ends of which nothing is said: somebody has asked for them. */
const SILENT = ["kill-blocked", "closed-pipe"];

/** Acts that are stopped by an errno, as on the host. */
const STOPPED = [
  ...["allocate", "allocate-break", "map-many", "open-many", "pipe-many", "socket-fill"],
  ...["timer-many", "signal-many", "epoll-deep", "epoll-circle", "closed-pipe-ignored", "execute-again"],
];

const IS_ROOT = process.getuid?.() === 0;
/** A file system of its own in /tmp and /dev/shm, small, and gone with the program whatever is left in it. */
const OWN_FILES = [
  ...(IS_ROOT ? ["unshare", "--mount"] : ["unshare", "--user", "--map-root-user", "--mount"]),
  ...["sh", "-c"],
  // The program itself may be below what is mounted over.
  'exec 9<"$1"; shift; for at in /tmp /dev/shm; do mount -t tmpfs -o size=64m,nr_inodes=30000 none $at || exit 99; done; ' +
    '/proc/self/fd/9 "$@"; exit $?',
  "own-files",
];
const asUser = (user: number) => ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--clear-groups"];
/** Limits of descriptors and processes do not concern root. */
const AS_NOBODY = [
  ...["prlimit", "--nproc=200", "--nofile=1024", "--core=0"],
  ...(IS_ROOT ? asUser(65534) : []),
];
/** Acts that use up what a user may have of pending signals: at the same time, each needs a user of its own. */
const OWN_USER: Readonly<Record<string, number>> = { "timer-many": 65501, "signal-many": 65502 };

/** Acts that the host stops too if it is told to: and how it is told. */
const STOPPED_WITH: readonly {
  readonly act: string;
  readonly host: readonly string[];
}[] = [
  { act: "reserve", host: [] },
  { act: "file-fill", host: OWN_FILES },
  { act: "directory-many", host: OWN_FILES },
  { act: "directory-deep", host: OWN_FILES },
  { act: "mount-deep", host: OWN_FILES },
  { act: "descriptor-circle", host: AS_NOBODY },
  { act: "descriptor-deep", host: AS_NOBODY },
  { act: "thread-many", host: AS_NOBODY },
];

/** Acts that must not be tried on the host, and how they end here. */
const NOT_ON_HOST: readonly (readonly [act: string, status: number, output: RegExp])[] = [
  // Each child takes memory, and execve(2) has none before there are too many processes. (With --memory 512M it is
  // EAGAIN, as on a host with a limit.)
  ["child-many", 3, /^children: 10, then ENOMEM$/],
  // It fills the host's memory.
  ["memory-file-fill", 3, /^pages: 1, then ENOSPC$/],
  // The host's fs.mount-max is for all of it, and far away.
  ["mount-many", 3, /^mounts: 1, then ENOSPC$/],
];

/** What is not as on the host yet, and why. */
const NOT_YET: Readonly<Record<string, string>> = {
  "single-step": "the engines do not look at RFLAGS.TF",
};

const NEEDED = [
  missingCompiler("glibc"),
  missingTool("unshare", "util-linux"),
  missingTool("setpriv", "util-linux"),
  missingTool("prlimit", "util-linux"),
];

describeWith(NEEDED, "a program that misbehaves", () => {
  let program = "";
  /** A copy that anybody may execute. */
  let reachable = "";

  beforeAll(() => {
    const source = join(REPOSITORY, "test/hostile/programs/misbehave.c");
    program = compile(source, "glibc", ["-static-pie", "-O1", "-Wno-infinite-recursion"]);
    const folder = mkdtempSync(join(tmpdir(), "misbehave-"));
    chmodSync(folder, 0o755);
    reachable = join(folder, "misbehave");
    copyFileSync(program, reachable);
    return () => rmSync(folder, { recursive: true });
  });

  const onHost = (act: string) => {
    const user = OWN_USER[act];
    const command = user === undefined || !IS_ROOT ? [program] : [...asUser(user), reachable];
    return runProcess([...LIMITED, ...command, act], { timeout: TIMEOUT });
  };
  const onOsvVm = (act: string, ...options: string[]) =>
    runProcess([...OURS, ...options, program, act], { timeout: TIMEOUT });
  const text = ({ stdout }: Outcome) => stdout.toString();

  /** Expects --stats to tell of no more memory than there may be. */
  const expectLittleMemory = ({ stderr }: Outcome) => {
    const peak = /^peak memory +(\d+) MiB$/m.exec(stderr.toString())?.[1];
    expect(Number(peak)).toBeGreaterThan(0);
    expect(Number(peak)).toBeLessThan(PEAK_MEMORY);
  };

  describe.concurrent("and is killed", () => {
    it.each(SIGNALLED)("(%s) has the status it has on the host, and one line is said", async (act) => {
      const [host, ours] = await Promise.all([onHost(act), onOsvVm(act)]);
      expect(host.status).toBeGreaterThan(128);
      expect(ours.status).toBe(host.status);
      expect(ours.stderr.toString()).toMatch(/^osv-vm: misbehave-\S+ \(pid 2, thread 2\): .*\(SIG\w+\).*\n$/);
      expect(text(ours)).toBe("");
    });

    it.each(SILENT)("(%s) as somebody wants it, is killed silently", async (act) => {
      const [host, ours] = await Promise.all([onHost(act), onOsvVm(act)]);
      expect(ours.status).toBe(host.status);
      expect(ours.stderr.toString()).toBe("");
    });

    it("(overcommit) for want of memory is told so", async () => {
      const ours = await onOsvVm("overcommit");
      expect(ours.status).toBe(137);
      expect(ours.stderr.toString()).toMatch(
        /^osv-vm: Out of memory: killed \S+ \(pid 2\): all 64 MiB of memory are in use\n$/,
      );
    });
  });

  describe.concurrent("and wants too much", () => {
    it.each(STOPPED)("(%s) is stopped as on the host", async (act) => {
      const [host, ours] = await Promise.all([onHost(act), onOsvVm(act, "--stats")]);
      expect(text(ours)).toBe(text(host));
      expect(ours.status).toBe(host.status);
      expectLittleMemory(ours);
    });

    it.each(STOPPED_WITH)("($act) is stopped as on a host with a limit", async ({ act, host: limit }) => {
      const [host, ours] = await Promise.all([
        runProcess([...limit, reachable, act], { timeout: TIMEOUT }),
        onOsvVm(act),
      ]);
      expect(text(host)).not.toBe("");
      expect(text(ours)).toBe(text(host));
      expect(ours.status).toBe(host.status);
    });

    it.each(NOT_ON_HOST)("(%s) ends with status %i", async (act, status, output) => {
      const ours = await onOsvVm(act, "--stats");
      expect(text(ours).trim()).toMatch(output);
      expect(ours.status).toBe(status);
      expectLittleMemory(ours);
    });

    it("(shared-fill) through a mapping is killed", async () => {
      expect((await onOsvVm("shared-fill")).status).toBe(137);
    });
  });

  /** Runs it, and stops reading its output after the first bytes. */
  const runUnread = (act: string): Promise<{ status: number | null; stderr: string }> =>
    new Promise((resolve, reject) => {
      const [file, ...parameters] = [...OURS, program, act];
      const child = spawn(file, parameters, { stdio: ["ignore", "pipe", "pipe"] });
      const timer = setTimeout(() => child.kill("SIGKILL"), TIMEOUT);
      let stderr = "";
      child.stdout.once("data", () => child.stdout.destroy());
      child.stderr.on("data", (data: Buffer) => {
        stderr += data;
      });
      child.on("error", reject);
      child.on("close", (status) => {
        clearTimeout(timer);
        resolve({ status, stderr });
      });
    });

  describe.concurrent("and floods its output", () => {
    it("ends of SIGPIPE when nobody reads any more", async () => {
      expect(await runUnread("flood")).toEqual({ status: 128 + 13, stderr: "" });
    });

    it("gets EPIPE when it ignores the signal", async () => {
      expect(await runUnread("flood-ignoring")).toEqual({ status: 4, stderr: "" });
    });

    it("waits for a slow reader, in little memory", async () => {
      const command = [...OURS, "--stats", program, "flood", "300"].map((word) => `'${word}'`).join(" ");
      const outcome = await runProcess(["sh", "-c", `${command} | { sleep 2; wc -c; }`], {
        timeout: TIMEOUT,
      });
      expect(Number(text(outcome))).toBe(300 << 20);
      expectLittleMemory(outcome);
    });
  });

  it.each(Object.entries(NOT_YET))("(%s) still differs: %s", async (act) => {
    const [host, ours] = await Promise.all([onHost(act), onOsvVm(act)]);
    expect(ours.status).not.toBe(host.status);
  });
});
