/** /proc/pid and /proc/pid/task/tid. */

import { EINVAL, ENOENT, Errno } from "../../errno.ts";
import type { Kernel } from "../../kernel.ts";
import type { Application } from "../../sched/application.ts";
import type { Thread } from "../../sched/thread.ts";
import { encodeName, nameLength } from "../../vfs/names.ts";
import type { Path } from "../../vfs/path.ts";
import { descriptorDirectory, descriptorInfoDirectory } from "./descriptors.ts";
import { listMountInfo, listMounts } from "./mount-list.ts";
import { networkDirectory } from "./network.ts";
import {
  type Accept,
  fixedDirectory,
  fixedFile,
  type Generate,
  MagicLink,
  SyntheticDirectory,
  SyntheticFile,
  type SyntheticFileSystem,
  type SyntheticInode,
} from "./proc-inode.ts";
import { commandLine, environmentBytes, mapsText, smapsRollupText, smapsText } from "./process-memory.ts";
import {
  limitsText,
  nameOf,
  type SessionTerminal,
  type Subject,
  statLine,
  statmLine,
  statusText,
} from "./process-status.ts";

/** TASK_COMM_LEN without its NUL. */
const COMM_LENGTH = 15;
/** Default of /proc/pid/coredump_filter: anonymous memory and ELF headers. */
const COREDUMP_FILTER = "00000033\n";
/** (uid_t)-1: no login user, no login session. */
const UNSET = "4294967295";
const OOM_SCORE_ADJ_MAX = 1000;

/** What process directories share. */
export interface ProcessContext {
  readonly fileSystem: SyntheticFileSystem;
  readonly kernel: Kernel;
  terminalOf(session: number): SessionTerminal | undefined;
}

/** The directory of a process, made once. */
export function processDirectory(context: ProcessContext, application: Application): SyntheticDirectory {
  const entries = processEntries(context, application, undefined);
  const tasks = new WeakMap<Thread, SyntheticDirectory>();
  const task = new SyntheticDirectory(context.fileSystem, {
    names: () => [...application.threads.keys()].sort((a, b) => a - b).map((tid) => `${tid}`),
    find: (name) => {
      const thread = application.threads.get(Number(name));
      if (thread === undefined || `${thread.tid}` !== name) return undefined;
      let directory = tasks.get(thread);
      if (directory === undefined) {
        directory = fixedDirectory(context.fileSystem, processEntries(context, application, thread));
        tasks.set(thread, directory);
      }
      return directory;
    },
  });
  return fixedDirectory(context.fileSystem, { ...entries, task });
}

function processEntries(
  context: ProcessContext,
  application: Application,
  thread: Thread | undefined,
): Record<string, SyntheticInode> {
  const { fileSystem, kernel } = context;
  const file = (generate: Generate, accept?: Accept, permissions?: number): SyntheticFile =>
    new SyntheticFile(fileSystem, generate, accept, permissions);
  const subject = (): Subject => {
    const terminal = context.terminalOf(application.session);
    return { kernel, application, thread, terminal };
  };
  const link = (target: () => Path | undefined): MagicLink =>
    new MagicLink(fileSystem, () => {
      const path = application.exitStatus === undefined ? target() : undefined;
      if (path === undefined) throw new Errno(ENOENT);
      return { path };
    });
  let oomScoreAdjustment = 0;
  return {
    auxv: file(() => application.image?.auxiliaryVector ?? "", undefined, 0o400),
    cgroup: fixedFile(fileSystem, "0::/\n"),
    cmdline: file(() => commandLine(kernel, application)),
    comm: file(
      () => `${nameOf(subject())}\n`,
      (text) => {
        const target = thread ?? application.mainThread;
        if (target !== undefined) target.name = shorten(text.replace(/\n.*$/s, ""));
      },
    ),
    coredump_filter: fixedFile(fileSystem, COREDUMP_FILTER),
    cwd: link(() => application.cwd),
    environ: file(() => environmentBytes(kernel, application), undefined, 0o400),
    exe: link(() => application.executablePath),
    fd: descriptorDirectory(fileSystem, kernel.mounts, application),
    fdinfo: descriptorInfoDirectory(fileSystem, application),
    gid_map: fixedFile(fileSystem, "         0          0 4294967295\n"),
    limits: file(() => limitsText(application)),
    loginuid: fixedFile(fileSystem, UNSET),
    maps: file(() => mapsText(kernel, application)),
    mountinfo: file(() => listMountInfo(kernel.mounts, application.mainThread)),
    mounts: file(() => listMounts(kernel.mounts, application.mainThread)),
    net: networkDirectory(fileSystem),
    oom_adj: fixedFile(fileSystem, "0\n"),
    oom_score: fixedFile(fileSystem, "0\n"),
    oom_score_adj: file(
      () => `${oomScoreAdjustment}\n`,
      (text) => {
        const value = Number(text.trim());
        if (!Number.isInteger(value) || Math.abs(value) > OOM_SCORE_ADJ_MAX) throw new Errno(EINVAL);
        oomScoreAdjustment = value;
      },
    ),
    personality: fixedFile(fileSystem, "00000000\n", 0o400),
    root: link(() => application.root),
    sessionid: fixedFile(fileSystem, UNSET),
    setgroups: fixedFile(fileSystem, "allow\n"),
    smaps: file(() => smapsText(kernel, application)),
    smaps_rollup: file(() => smapsRollupText(kernel, application)),
    stat: file(() => statLine(subject())),
    statm: file(() => statmLine(subject())),
    status: file(() => statusText(subject())),
    uid_map: fixedFile(fileSystem, "         0          0 4294967295\n"),
    wchan: fixedFile(fileSystem, "0"),
  };
}

/** At most COMM_LENGTH bytes of a name. */
function shorten(name: string): string {
  if (nameLength(name) <= COMM_LENGTH) return name;
  let text = "";
  for (const character of name) {
    if (encodeName(text + character).length > COMM_LENGTH) break;
    text += character;
  }
  return text;
}
