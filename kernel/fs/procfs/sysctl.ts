/** /proc/sys: settings of the kernel (proc(5), Documentation/admin-guide/sysctl). Those that can be written are kept. */

import { EINVAL, Errno } from "../../errno.ts";
import type { Kernel } from "../../kernel.ts";
import { SYSTEM_NAME } from "../../syscalls/system.ts";
import { NR_OPEN } from "../../vfs/file-table.ts";
import {
  fixedDirectory,
  fixedFile,
  type SyntheticDirectory,
  SyntheticFile,
  type SyntheticFileSystem,
  type SyntheticInode,
} from "./proc-inode.ts";

/** A random UUID, version 4 (RFC 9562, 5.4). */
function uuid(kernel: Kernel): string {
  const bytes = new Uint8Array(16);
  kernel.host.entropy.fill(bytes);
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12, 16)}-${digits.slice(16, 20)}-${digits.slice(20)}\n`;
}

export function sysctlDirectory(fileSystem: SyntheticFileSystem, kernel: Kernel): SyntheticDirectory {
  const directory = (entries: Record<string, SyntheticInode>) => fixedDirectory(fileSystem, entries);
  const constant = (content: string | number) => fixedFile(fileSystem, `${content}\n`);
  /** One number, or several, that a program may set to others; nothing else depends on it. */
  const setting = (initial: string | number, minimum = 0, maximum = Number.MAX_SAFE_INTEGER) => {
    let value = `${initial}`;
    const accept = (text: string) => {
      const words = text.trim().split(/\s+/);
      for (const word of words) {
        const number = /^-?\d+$/.test(word) ? Number(word) : Number.NaN;
        if (!(number >= minimum && number <= maximum)) throw new Errno(EINVAL);
      }
      value = words.join("\t");
    };
    return new SyntheticFile(fileSystem, () => `${value}\n`, accept);
  };
  const bootId = uuid(kernel);
  const hostname = new SyntheticFile(
    fileSystem,
    () => `${kernel.hostname}\n`,
    (text) => {
      kernel.hostname = text.replace(/\n.*$/s, "").slice(0, 64);
    },
  );
  return directory({
    abi: directory({}),
    fs: directory({
      "aio-max-nr": setting(65536),
      "aio-nr": constant(0),
      "file-max": setting("9223372036854775807"),
      "file-nr": new SyntheticFile(fileSystem, () => `${openFiles(kernel)}\t0\t9223372036854775807\n`),
      inotify: directory({
        max_queued_events: setting(16384),
        max_user_instances: setting(128),
        max_user_watches: setting(65536),
      }),
      "lease-break-time": setting(45),
      mqueue: directory({ msg_max: setting(10), msgsize_max: setting(8192), queues_max: setting(256) }),
      nr_open: setting(NR_OPEN),
      overflowgid: setting(65534),
      overflowuid: setting(65534),
      "pipe-max-size": setting(1048576),
      "pipe-user-pages-hard": setting(0),
      "pipe-user-pages-soft": setting(16384),
      protected_hardlinks: setting(1, 0, 1),
      protected_symlinks: setting(1, 0, 1),
      suid_dumpable: setting(0, 0, 2),
    }),
    kernel: directory({
      cap_last_cap: constant(40),
      core_pattern: constant("core"),
      core_uses_pid: setting(0),
      domainname: constant(SYSTEM_NAME.domain),
      hostname,
      keys: directory({}),
      msgmax: setting(8192),
      msgmnb: setting(16384),
      msgmni: setting(32000),
      ngroups_max: constant(65536),
      osrelease: constant(SYSTEM_NAME.release),
      ostype: constant(SYSTEM_NAME.sysname),
      overflowgid: setting(65534),
      overflowuid: setting(65534),
      panic: setting(0, -1),
      perf_event_paranoid: setting(3, -1),
      pid_max: setting(4194304, 301, 4194304),
      printk: setting("4\t4\t1\t7"),
      random: directory({
        boot_id: fixedFile(fileSystem, bootId),
        entropy_avail: constant(256),
        poolsize: constant(256),
        uuid: new SyntheticFile(fileSystem, () => uuid(kernel)),
      }),
      randomize_va_space: setting(0, 0, 2),
      sched_rt_period_us: setting(1000000),
      sched_rt_runtime_us: setting(950000, -1),
      sem: setting("32000\t1024000000\t500\t32000"),
      seccomp: directory({ actions_avail: constant("") }),
      shmall: setting("18446744073692774399"),
      shmmax: setting("18446744073692774399"),
      shmmni: setting(4096),
      "threads-max": constant(kernel.lifecycle.threadsMax),
      tainted: constant(0),
      version: constant(SYSTEM_NAME.version),
      yama: directory({ ptrace_scope: setting(0, 0, 3) }),
    }),
    net: directory({
      core: directory({ rmem_max: setting(212992), somaxconn: setting(4096), wmem_max: setting(212992) }),
      ipv4: directory({
        ip_local_port_range: setting("32768\t60999"),
        ip_forward: setting(0, 0, 1),
        tcp_fin_timeout: setting(60),
        tcp_keepalive_intvl: setting(75),
        tcp_keepalive_probes: setting(9),
        tcp_keepalive_time: setting(7200),
        tcp_rmem: setting("4096\t131072\t6291456"),
        tcp_syncookies: setting(1, 0, 2),
        tcp_wmem: setting("4096\t16384\t4194304"),
      }),
      ipv6: directory({ conf: directory({ all: directory({ disable_ipv6: setting(1, 0, 1) }) }) }),
    }),
    vm: directory({
      drop_caches: setting(0),
      max_map_count: setting(65530),
      mmap_min_addr: setting(65536),
      nr_hugepages: setting(0),
      overcommit_kbytes: setting(0),
      overcommit_memory: setting(0, 0, 2),
      overcommit_ratio: setting(50),
      panic_on_oom: setting(0, 0, 2),
      swappiness: setting(60, 0, 200),
    }),
  });
}

function openFiles(kernel: Kernel): number {
  const files = new Set<unknown>();
  for (const application of kernel.applications.values()) {
    for (const [, file] of application.files.entries()) files.add(file);
  }
  return files.size;
}
