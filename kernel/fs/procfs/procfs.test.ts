/** /proc has what programs parse, in the form in which the host's Linux gives it. */

import * as fs from "node:fs";
import { describe, expect, it } from "vitest";
import { MODELS } from "../../../cpu/model.ts";
import type { Kernel } from "../../kernel.ts";
import { Application } from "../../sched/application.ts";
import { Thread } from "../../sched/thread.ts";
import { FileTable } from "../../vfs/file-table.ts";
import { RamFs } from "../ramfs.ts";
import { SysFs } from "../sysfs.ts";
import { FlatMemory, Guest, testClock } from "../testing/guest.ts";
import { ProcFs } from "./procfs.ts";

const [O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_TRUNC] = [0, 0o1, 0o2, 0o100, 0o1000];
const at = FlatMemory.BASE;

class ProcGuest extends Guest {
  readonly application: Application;

  constructor() {
    super(new RamFs(testClock));
    const { mounts, memory, thread } = this;
    for (const name of ["/proc", "/sys", "/bin"]) this.now("mkdir", name, 0o755);
    const threads = new Map<number, Thread>();
    const applications = new Map<number, Application>();
    const kernel = {
      host: { clock: testClock, entropy: { fill: (bytes: Uint8Array) => bytes.fill(7) } },
      machine: { cpu: { model: MODELS.v3 } },
      mounts,
      memory,
      space: {
        frames: { total: 65536, free: 60000 },
        areas: [],
        usage: () => ({ virtual: 8192, resident: 4096 }),
        residentPages: () => 0,
      },
      scheduler: { switches: 12, runnable: 1, current: undefined, chargeTime: () => {} },
      lifecycle: { forks: 3 },
      applications,
      threads,
      hostname: "here",
    } as unknown as Kernel;
    const application = new Application(1, undefined, new FileTable(), mounts.root, mounts.root);
    application.name = "program (x) y";
    application.argv = ["program", "two words", "\udcff"];
    application.environment = ["A=1"];
    applications.set(1, application);
    const first = new Thread(kernel, application, 1, 8);
    application.threads.set(1, first);
    threads.set(1, first);
    const second = new Thread(kernel, application, 2, 8);
    second.name = "worker";
    application.threads.set(2, second);
    threads.set(2, second);
    this.application = application;
    Object.assign(thread, { application, kernel, tid: 1 });
    const terminalOf = () => ({ rdev: 0x8801, foreground: 1 });
    mounts.mount(
      new ProcFs(kernel, { terminalOf, commandLine: "console=x" }),
      mounts.resolve(undefined, "/proc"),
      { source: "proc" },
    );
    mounts.mount(new SysFs(testClock), mounts.resolve(undefined, "/sys"), { source: "sys fs" });
  }

  text(name: string): string {
    const fd = this.now("open", name, O_RDONLY);
    if (fd < 0) return `open: ${fd}`;
    let text = "";
    for (;;) {
      const length = this.now("read", fd, at, 1000);
      if (length <= 0) break;
      text += new TextDecoder("latin1").decode(this.memory.read(at, length));
    }
    this.now("close", fd);
    return text;
  }

  write(name: string, text: string): number {
    const fd = this.now("open", name, O_WRONLY | O_TRUNC);
    if (fd < 0) return fd;
    const data = new TextEncoder().encode(text);
    const result = this.now("write", fd, data, data.length);
    this.now("close", fd);
    return result;
  }

  link(name: string): string {
    const length = this.now("readlink", name, at, 4096);
    return length < 0 ? `${length}` : new TextDecoder().decode(this.memory.read(at, length));
  }
}

const host = (name: string) => fs.readFileSync(name, "utf8");

/** "Name" of lines "Name:  value". */
const fieldNames = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => line.replace(/\s*:.*/, ""));

describe("/proc/pid", () => {
  it("tells the fields of stat in the host's order, with a name that may hold anything", () => {
    const guest = new ProcGuest();
    const line = guest.text("/proc/self/stat");
    expect(line.startsWith("1 (program (x) y) ")).toBe(true);
    const count = (text: string) => text.slice(text.lastIndexOf(")")).trim().split(" ").length;
    expect(count(line)).toBe(count(host("/proc/self/stat")));
    const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
    expect(fields.slice(0, 6)).toEqual(["R", "0", "1", "1", `${0x8801}`, "1"]);
    expect(fields[17]).toBe("2");
  });

  it("has in status only fields that Linux has, in its order", () => {
    const guest = new ProcGuest();
    const ours = fieldNames(guest.text("/proc/self/status"));
    const theirs = fieldNames(host("/proc/self/status"));
    expect(theirs.filter((name) => ours.includes(name))).toEqual(ours);
    expect(guest.text("/proc/self/task/2/status")).toMatch(
      /^Name:\tworker\n(.*\n)*Tgid:\t1\n(.*\n)*Pid:\t2\n/,
    );
  });

  it("lays limits out as Linux does", () => {
    const guest = new ProcGuest();
    const columns = (text: string) => text.split("\n").map((line) => line.slice(0, 26));
    expect(columns(guest.text("/proc/1/limits"))).toEqual(columns(host("/proc/self/limits")));
    expect(guest.text("/proc/1/limits").split("\n")[0]).toBe(host("/proc/self/limits").split("\n")[0]);
  });

  it("gives arguments and environment with their NULs, whatever their bytes", () => {
    const guest = new ProcGuest();
    Object.assign(guest.application, {
      image: { argStart: 0, argEnd: 0, environmentStart: 0, environmentEnd: 0 },
    });
    expect(guest.text("/proc/self/cmdline")).toBe("program\0two words\0\u00ff\0");
    expect(guest.text("/proc/self/environ")).toBe("A=1\0");
  });

  it("has links that lead straight to files", () => {
    const guest = new ProcGuest();
    const fd = guest.now("open", "/bin/file", O_CREAT | O_RDWR, 0o644);
    guest.now("write", fd, new TextEncoder().encode("text"), 4);
    expect(guest.link(`/proc/self/fd/${fd}`)).toBe("/bin/file");
    guest.now("unlink", "/bin/file");
    expect(guest.link(`/proc/self/fd/${fd}`)).toBe("/bin/file (deleted)");
    expect(guest.text(`/proc/self/fd/${fd}`)).toBe("text");
    expect(guest.link("/proc/self/exe")).toBe("-2");
    guest.now("chdir", "/bin");
    expect(guest.link("/proc/self/cwd")).toBe("/bin");
    expect(guest.link("/proc/thread-self")).toBe("1/task/1");
    expect(guest.now("stat", "/proc/self/cwd/../proc", at)).toBe(0);
    expect(guest.now("open", "/proc/self/fd/077", O_RDONLY)).toBe(-2);
    expect(guest.text(`/proc/self/fdinfo/${fd}`)).toMatch(
      /^pos:\t4\nflags:\t0100002\nmnt_id:\t1\nino:\t\d+\n$/,
    );
  });

  it("lists descriptors, threads and processes that are there", () => {
    const guest = new ProcGuest();
    const names = (path: string) =>
      guest.mounts
        .resolve(guest.thread, path)
        .inode.readdir()
        .map(({ name }) => name);
    guest.now("open", "/bin", O_RDONLY);
    guest.now("dup2", 0, 5);
    expect(names("/proc/self/fd")).toEqual(["0", "5"]);
    expect(names("/proc/self/task")).toEqual(["1", "2"]);
    expect(names("/proc").filter((name) => /^\d/.test(name))).toEqual(["1"]);
    expect(guest.now("stat", "/proc/2/status", at)).toBe(0);
    expect(guest.now("stat", "/proc/3", at)).toBe(-2);
    expect(guest.now("stat", "/proc/01", at)).toBe(-2);
  });

  it("takes a new name for a thread", () => {
    const guest = new ProcGuest();
    expect(guest.write("/proc/self/task/2/comm", "a name that is too long\n")).toBe(24);
    expect(guest.text("/proc/self/task/2/comm")).toBe("a name that is \n");
  });

  it("keeps a process without memory readable", () => {
    const guest = new ProcGuest();
    guest.application.exitStatus = 0;
    for (const name of ["stat", "status", "statm", "maps", "smaps", "cmdline", "environ", "limits"]) {
      expect(guest.text(`/proc/1/${name}`), name).not.toMatch(/^open/);
    }
    expect(guest.text("/proc/1/stat")).toMatch(/\) Z /);
    expect(guest.link("/proc/1/cwd")).toBe("-2");
  });
});

describe("/proc", () => {
  it("shows mounts with the fields of fstab and of mountinfo", () => {
    const guest = new ProcGuest();
    expect(guest.text("/proc/mounts")).toBe(
      "ramfs / ramfs rw,relatime 0 0\nproc /proc proc rw,relatime 0 0\nsys\\040fs /sys sysfs rw,relatime 0 0\n",
    );
    for (const line of guest.text("/proc/self/mountinfo").trimEnd().split("\n")) {
      expect(line).toMatch(/^\d+ \d+ \d+:\d+ \/ \/\S* \S+ - \S+ \S+ rw$/);
    }
  });

  it("has only such numbers about memory as Linux has", () => {
    const guest = new ProcGuest();
    const ours = fieldNames(guest.text("/proc/meminfo"));
    const theirs = new Set(fieldNames(host("/proc/meminfo")));
    expect(ours.filter((name) => !theirs.has(name))).toEqual([]);
    expect(guest.text("/proc/meminfo")).toMatch(/^MemTotal: {9}262144 kB\nMemFree: {10}240000 kB\n/);
  });

  it("describes the processor in Linux' form", () => {
    const guest = new ProcGuest();
    const labels = (text: string) =>
      text
        .split("\n\n")[0]
        ?.split("\n")
        .map((line) => line.replace(/:.*/, ":")) ?? [];
    // Linux leaves "microcode" out on processors that say nothing of it (arch/x86/kernel/cpu/proc.c).
    const theirs = [...labels(host("/proc/cpuinfo")), "microcode\t:"];
    expect(labels(guest.text("/proc/cpuinfo")).filter((label) => !theirs.includes(label))).toEqual([]);
    expect(guest.text("/proc/cpuinfo")).toMatch(/^flags\t\t: fpu .*\bsse4_2\b.*$/m);
  });

  it("keeps settings that can be written, and refuses nonsense", () => {
    const guest = new ProcGuest();
    expect(guest.text("/proc/sys/kernel/ostype")).toBe("Linux\n");
    expect(guest.write("/proc/sys/vm/overcommit_memory", "1\n")).toBe(2);
    expect(guest.text("/proc/sys/vm/overcommit_memory")).toBe("1\n");
    expect(guest.write("/proc/sys/vm/overcommit_memory", "3\n")).toBe(-22);
    expect(guest.write("/proc/sys/vm/overcommit_memory", "x\n")).toBe(-22);
    expect(guest.write("/proc/sys/kernel/ostype", "x")).toBe(-5);
    expect(guest.write("/proc/sys/kernel/hostname", "there\n")).toBe(6);
    expect(guest.text("/proc/sys/kernel/hostname")).toBe("there\n");
    expect(guest.text("/proc/sys/kernel/random/uuid")).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\n$/,
    );
  });

  it("cannot be changed otherwise", () => {
    const guest = new ProcGuest();
    expect(guest.now("mkdir", "/proc/x", 0o755)).toBe(-2);
    expect(guest.now("unlink", "/proc/version")).toBe(-1);
    expect(guest.now("chmod", "/proc/version", 0)).toBe(-1);
    expect(guest.now("open", "/proc/new", O_CREAT, 0o644)).toBe(-2);
  });

  it("makes content anew when it is read again from the start", () => {
    const guest = new ProcGuest();
    const fd = guest.now("open", "/proc/sys/kernel/hostname", O_RDONLY);
    expect(guest.now("read", fd, at, 100)).toBe(5);
    guest.write("/proc/sys/kernel/hostname", "other name");
    expect(guest.now("read", fd, at, 100)).toBe(0);
    expect(guest.now("pread64", fd, at, 100, 0)).toBe(11);
    expect(guest.now("pread64", fd, at, 100, 6)).toBe(5);
  });
});

describe("/sys", () => {
  it("says how many processors there are, and that pages are small", () => {
    const guest = new ProcGuest();
    expect(guest.text("/sys/devices/system/cpu/online")).toBe("0\n");
    expect(guest.text("/sys/kernel/mm/transparent_hugepage/enabled")).toBe("always madvise [never]\n");
    expect(guest.text("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size")).toBe("2097152\n");
  });
});
