/** /sys, as far as runtimes read it: how many processors there are, and whether huge pages come by themselves. */

import type { Clock } from "../host.ts";
import type { FileSystemStat, Timestamp } from "../vfs/inode.ts";
import { allocateDevice } from "./device-numbers.ts";
import {
  fixedDirectory,
  fixedFile,
  type SyntheticDirectory,
  type SyntheticFileSystem,
  type SyntheticInode,
} from "./procfs/proc-inode.ts";

/** SYSFS_MAGIC (linux/magic.h) */
const SYSFS_MAGIC = 0x62656572;

export class SysFs implements SyntheticFileSystem {
  readonly type = "sysfs";
  readonly readOnly = false;
  readonly dev = allocateDevice();
  readonly created: Timestamp;
  readonly root: SyntheticDirectory;
  private ino = 0n;

  constructor(clock: Clock) {
    this.created = clock.realtime();
    const directory = (entries: Record<string, SyntheticInode>) => fixedDirectory(this, entries, 0o755);
    const file = (content: string | number) => fixedFile(this, `${content}\n`);
    const cpu0 = directory({
      topology: directory({
        core_cpus: file(1),
        core_cpus_list: file(0),
        core_id: file(0),
        core_siblings: file(1),
        core_siblings_list: file(0),
        physical_package_id: file(0),
        thread_siblings: file(1),
        thread_siblings_list: file(0),
      }),
    });
    const cpu = directory({
      cpu0,
      isolated: file(""),
      kernel_max: file(0),
      offline: file(""),
      online: file(0),
      possible: file(0),
      present: file(0),
    });
    const node = directory({ has_cpu: file(0), online: file(0), possible: file(0) });
    this.root = directory({
      block: directory({}),
      bus: directory({}),
      class: directory({ net: directory({}) }),
      dev: directory({ block: directory({}), char: directory({}) }),
      devices: directory({ system: directory({ cpu, node }) }),
      firmware: directory({}),
      fs: directory({ cgroup: directory({}) }),
      kernel: directory({
        mm: directory({
          hugepages: directory({}),
          transparent_hugepage: directory({
            defrag: file("always defer defer+madvise madvise [never]"),
            enabled: file("always madvise [never]"),
            hpage_pmd_size: file(2097152),
            shmem_enabled: file("always within_size advise [never] deny force"),
          }),
        }),
      }),
      module: directory({}),
    });
  }

  nextIno(): bigint {
    return ++this.ino;
  }

  statfs(): FileSystemStat {
    return {
      type: SYSFS_MAGIC,
      blockSize: 4096,
      blocks: 0,
      freeBlocks: 0,
      files: 0,
      freeFiles: 0,
      nameLength: 255,
    };
  }

  sync(): void {}
}
