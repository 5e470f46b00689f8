/**
 * From a file name to a program in memory: what execve(2) does. First everything is looked at and checked ({@link
 * prepareProgram}), then memory is changed ({@link installProgram}): so that a failing execve leaves the caller alone.
 */

import { PAGE_SIZE } from "../../mmu/translator.ts";
import {
  E2BIG,
  EACCES,
  EINVAL,
  EISDIR,
  ELOOP,
  ENAMETOOLONG,
  ENOENT,
  ENOEXEC,
  ENOMEM,
  ENOTDIR,
  Errno,
} from "../errno.ts";
import type { Entropy } from "../host.ts";
import type { AddressSpace } from "../mm/address-space.ts";
import {
  MMAP_MIN,
  MMAP_TOP,
  PIE_BASE,
  PIE_END,
  PIE_STRIDE,
  STACK_GUARD_GAP,
  STACK_INITIAL,
  STACK_LIMIT,
  USER_END,
} from "../mm/layout.ts";
import { MemoryOwner } from "../mm/memory-owner.ts";
import type { UserMemory } from "../mm/user-memory.ts";
import { Prot, type VmaAttributes } from "../mm/vma.ts";
import type { Thread } from "../sched/thread.ts";
import { S_IFDIR, S_IFREG } from "../vfs/inode.ts";
import { MS_NOEXEC } from "../vfs/mount.ts";
import type { MountTable, ResolveOptions } from "../vfs/mount-table.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import { O_RDONLY } from "../vfs/open-flags.ts";
import type { Path } from "../vfs/path.ts";
import { ElfError, type ElfImage, isElf, PHDR_SIZE, parseElf, type Segment } from "./elf.ts";
import { parseScript, SCRIPT_HEAD } from "./script.ts";
import { Auxiliary, buildStack, checkArguments } from "./stack.ts";

/** How many interpreters a script may lead through (fs/exec.c, exec_binprm()). */
const SCRIPT_DEPTH = 5;

/** What the loader needs of the kernel. */
export interface LoaderEnvironment {
  readonly mounts: MountTable;
  readonly space: AddressSpace;
  readonly memory: UserMemory;
  readonly entropy: Entropy;
  /** Where the vDSO is mapped. */
  readonly vdso: number;
  /** CPUID.1:EDX, for AT_HWCAP. */
  readonly hwcap: number;
  /** AT_HWCAP2 (bit 1: FSGSBASE may be used). */
  readonly hwcap2: number;
  /** AT_MINSIGSTKSZ: bytes that a signal frame takes at most. */
  readonly minimumSignalStack: number;
}

/** An ELF file, opened and understood. */
interface ProgramFile {
  readonly image: ElfImage;
  readonly file: OpenFile;
}

/** A program that can be installed. {@link releaseProgram} must be called when it is not needed any more. */
export interface PreparedProgram {
  readonly program: ProgramFile;
  readonly interpreter: ProgramFile | undefined;
  /** As the caller named it (for AT_EXECFN and the name of the application). */
  readonly name: string;
  readonly argv: readonly string[];
  readonly environment: readonly string[];
  /** The file that is executed, for /proc/self/exe. */
  readonly path: Path;
}

export interface InstalledProgram {
  readonly owner: MemoryOwner;
  /** Where the first instruction is: in the dynamic loader if there is one. */
  readonly entry: number;
  readonly stackPointer: number;
}

const SENTENCES: Readonly<Record<number, string>> = {
  [ENOENT]: "no such file or directory",
  [EACCES]: "permission denied: not an executable file",
  [ENOTDIR]: "no such file or directory: a part of the path is not a directory",
  [ELOOP]: "too many symbolic links",
  [ENAMETOOLONG]: "the name is too long",
  [EISDIR]: "is a directory, not a program",
};

function describeErrno(name: string, error: unknown): unknown {
  return error instanceof Errno
    ? new ElfError(name, SENTENCES[error.errno] ?? `cannot be opened (errno ${error.errno})`, error.errno)
    : error;
}

/** Opens a file for execution: a regular one with an x bit, not on a mount that forbids it. */
async function openExecutable(
  mounts: MountTable,
  thread: Thread | undefined,
  name: string,
  options: ResolveOptions,
): Promise<OpenFile> {
  try {
    const path = mounts.resolve(thread, name, options);
    if (path.inode.type === S_IFDIR) throw new ElfError(name, "is a directory, not a program", EACCES);
    if (path.inode.type !== S_IFREG || path.inode.readPage === undefined) {
      throw new ElfError(name, "is not a regular file", EACCES);
    }
    if ((path.mount.flags & MS_NOEXEC) !== 0)
      throw new ElfError(name, "is on a file system mounted noexec", EACCES);
    if ((path.inode.stat().mode & 0o111) === 0) throw new Errno(EACCES);
    const file = await mounts.openPath(thread, path, O_RDONLY);
    file.retain();
    return file;
  } catch (error) {
    throw describeErrno(name, error);
  }
}

/** Reads through {@link import("../vfs/inode.ts").Inode.readPage}. */
function readAt(file: OpenFile, position: number, length: number): Uint8Array {
  const result = new Uint8Array(length);
  const page = new Uint8Array(PAGE_SIZE);
  let done = 0;
  while (done < length) {
    const within = (position + done) % PAGE_SIZE;
    const inFile = file.inode.readPage?.(position + done - within, page) ?? 0;
    const count = Math.min(length - done, inFile - within);
    if (count <= 0) break;
    result.set(page.subarray(within, within + count), done);
    done += count;
  }
  return result.subarray(0, done);
}

function parse(name: string, file: OpenFile): ElfImage {
  return parseElf(name, (position, length) => readAt(file, position, length), file.inode.stat().size);
}

/**
 * Finds and checks a program, through any number of scripts.
 * @throws ElfError
 */
export async function prepareProgram(
  env: LoaderEnvironment,
  thread: Thread | undefined,
  name: string,
  argv: readonly string[],
  environment: readonly string[],
  options: ResolveOptions = {},
): Promise<PreparedProgram> {
  // Linux gives a program that is started without arguments an empty argv[0].
  let args: readonly string[] = argv.length === 0 ? [""] : argv;
  checkArguments(name, args, environment);
  let target = name;
  for (let depth = 0; ; depth++) {
    if (depth > SCRIPT_DEPTH)
      throw new ElfError(name, "is a script whose interpreter is a script, too deep", ELOOP);
    const file = await openExecutable(env.mounts, thread, target, depth === 0 ? options : {});
    let keep = false;
    try {
      const path = file.path;
      if (path === undefined) throw new ElfError(target, "has no place in the file system", ENOEXEC);
      const head = readAt(file, 0, SCRIPT_HEAD);
      const script = parseScript(head);
      if (script === "malformed") throw new ElfError(target, 'has a "#!" line without an interpreter');
      if (script !== undefined) {
        args = [
          script.interpreter,
          ...(script.argument === undefined ? [] : [script.argument]),
          target,
          ...args.slice(1),
        ];
        target = script.interpreter;
        continue;
      }
      if (head.length === 0) throw new ElfError(target, "is empty, not a program");
      if (!isElf(head)) throw new ElfError(target, 'is neither an ELF program nor a script with "#!"');
      const image = parse(target, file);
      checkSize(env, image);
      const interpreter =
        image.interpreter === undefined
          ? undefined
          : await openInterpreter(env, thread, target, image.interpreter);
      keep = true;
      return { program: { image, file }, interpreter, name, argv: args, environment, path };
    } catch (error) {
      throw describeErrno(target, error);
    } finally {
      if (!keep) file.release();
    }
  }
}

async function openInterpreter(
  env: LoaderEnvironment,
  thread: Thread | undefined,
  program: string,
  name: string,
): Promise<ProgramFile> {
  let file: OpenFile;
  try {
    file = await openExecutable(env.mounts, thread, name, {});
  } catch (error) {
    if (!(error instanceof ElfError)) throw error;
    throw new ElfError(
      program,
      error.errno === ENOENT
        ? `needs the dynamic loader ${name}, which is not in the root file system`
        : `needs the dynamic loader ${name}: ${error.reason}`,
      error.errno,
    );
  }
  try {
    const image = parse(name, file);
    if (!image.positionIndependent) throw new ElfError(name, "is no dynamic loader: it has a fixed address");
    checkSize(env, image);
    return { image, file };
  } catch (error) {
    file.release();
    throw describeErrno(name, error);
  }
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB`;
}

function checkSize(env: LoaderEnvironment, image: ElfImage): void {
  const needed = image.segments.reduce((sum, segment) => sum + segment.memorySize, 0);
  const available = env.space.frames.total * PAGE_SIZE;
  if (needed <= available) return;
  throw new ElfError(
    image.path,
    `needs ${mebibytes(needed)} of memory, this machine has ${mebibytes(available)}`,
    ENOMEM,
  );
}

export function releaseProgram(prepared: PreparedProgram): void {
  prepared.program.file.release();
  prepared.interpreter?.file.release();
}

/**
 * Is the place free that a program with a fixed address needs?
 * @param leaving an image that will be gone by then
 * @throws ElfError
 */
export function checkPlace(
  env: LoaderEnvironment,
  prepared: PreparedProgram,
  leaving: MemoryOwner | undefined,
): void {
  const { image } = prepared.program;
  if (image.positionIndependent) return;
  if (image.start < 0x10000) throw new ElfError(image.path, "wants to be loaded at address 0", EINVAL);
  if (image.end > MMAP_TOP) throw new ElfError(image.path, "wants to be loaded where the stacks are", ENOMEM);
  for (const vma of env.space.areas.overlapping(image.start, image.end)) {
    if (vma.owner === leaving && leaving !== undefined) continue;
    throw new ElfError(
      image.path,
      `has the fixed address 0x${image.start.toString(16)}, where ${vma.owner?.name ?? "something else"} runs already ` +
        "(one address space: only position-independent programs can run twice)",
      ENOMEM,
    );
  }
}

/** Where a position-independent program goes: the first free slot. */
function findProgramBase(env: LoaderEnvironment, image: ElfImage): number {
  const span = image.end - image.start;
  for (let slot = PIE_BASE; slot + span < PIE_END; slot += PIE_STRIDE) {
    const base = slot - (slot % image.alignment);
    // A header may ask for an alignment that only low addresses have.
    if (base >= MMAP_MIN && env.space.isFree(base, Math.max(span, PIE_STRIDE / 2))) return base;
  }
  throw new ElfError(image.path, "does not fit into the address space", ENOMEM);
}

function anonymous(prot: number, name: string, owner: MemoryOwner): VmaAttributes {
  return {
    prot,
    shared: false,
    growsDown: false,
    growLimit: 0,
    mayWrite: true,
    file: undefined,
    name,
    owner,
  };
}

function protOf(segment: Segment): number {
  return (
    ((segment.flags & 4) !== 0 ? Prot.Read : 0) |
    ((segment.flags & 2) !== 0 ? Prot.Write : 0) |
    ((segment.flags & 1) !== 0 ? Prot.Exec : 0)
  );
}

function pageUp(address: number): number {
  return Math.ceil(address / PAGE_SIZE) * PAGE_SIZE;
}

function mapSegment(
  env: LoaderEnvironment,
  program: ProgramFile,
  segment: Segment,
  bias: number,
  owner: MemoryOwner,
) {
  const { space } = env;
  const prot = protOf(segment);
  const address = segment.address + bias;
  const start = address - (address % PAGE_SIZE);
  const fileEnd = segment.fileSize === 0 ? start : pageUp(address + segment.fileSize);
  const end = pageUp(address + segment.memorySize);
  // Segments may share a page; the later one wins, as with MAP_FIXED.
  space.unmap(start, end - start, owner);
  const name = program.file.path?.toString() ?? program.image.path;
  if (fileEnd > start) {
    const offset = segment.offset - (address - start);
    const attributes = { ...anonymous(prot, name, owner), file: { inode: program.file.inode, offset } };
    space.map(start, fileEnd - start, attributes, program.file);
  }
  if (end > fileEnd) space.map(fileEnd, end - fileEnd, anonymous(prot, "", owner));
  // What follows in the file within the last page is not part of the program.
  if (segment.fileSize > 0 && segment.memorySize > segment.fileSize && (segment.flags & 2) !== 0) {
    const dataEnd = address + segment.fileSize;
    env.memory.fill(dataEnd, fileEnd - dataEnd, 0);
  }
}

function mapProgram(env: LoaderEnvironment, program: ProgramFile, bias: number, owner: MemoryOwner): void {
  for (const segment of program.image.segments) mapSegment(env, program, segment, bias, owner);
}

/** Reserves a stack and maps its top. @returns the address behind it */
function mapStack(env: LoaderEnvironment, image: ElfImage, owner: MemoryOwner): number {
  const prot = Prot.Read | Prot.Write | (image.executableStack ? Prot.Exec : 0);
  const stack = anonymous(prot, "[stack]", owner);
  const slot = STACK_LIMIT + STACK_GUARD_GAP;
  for (let top = USER_END; top - slot >= MMAP_TOP; top -= slot) {
    if (!env.space.isFree(top - slot, slot)) continue;
    env.space.map(top - STACK_INITIAL, STACK_INITIAL, {
      ...stack,
      growsDown: true,
      growLimit: top - STACK_LIMIT,
    });
    return top;
  }
  // More programs than there are places for growing stacks: this one gets all of its own at once.
  const start = env.space.findFree(slot, false);
  if (start < 0) throw new ElfError(image.path, "has no room for a stack in the address space", ENOMEM);
  env.space.map(start + STACK_GUARD_GAP, STACK_LIMIT, stack);
  return start + slot;
}

/**
 * Maps a prepared program and builds its stack. The caller has called {@link checkPlace}.
 * @throws ElfError when memory runs out; nothing is left mapped then
 */
export function installProgram(env: LoaderEnvironment, prepared: PreparedProgram): InstalledProgram {
  const { image } = prepared.program;
  const owner = new MemoryOwner(prepared.name);
  try {
    const base = image.positionIndependent ? findProgramBase(env, image) : image.start;
    const bias = base - image.start;
    mapProgram(env, prepared.program, bias, owner);
    owner.base = bias;
    owner.entry = image.entry + bias;
    owner.brkStart = pageUp(image.end + bias);
    owner.brk = owner.brkStart;
    let entry = owner.entry;
    let interpreterBase = 0;
    if (prepared.interpreter !== undefined) {
      const loader = prepared.interpreter.image;
      const start = env.space.findFree(loader.end - loader.start + loader.alignment - PAGE_SIZE, false);
      if (start < 0) throw new Errno(ENOMEM);
      const aligned = Math.ceil(start / loader.alignment) * loader.alignment;
      interpreterBase = aligned - loader.start;
      mapProgram(env, prepared.interpreter, interpreterBase, owner);
      entry = loader.entry + interpreterBase;
    }
    const random = new Uint8Array(16);
    env.entropy.fill(random);
    const top = mapStack(env, image, owner);
    const stack = buildStack(env.memory, top, {
      path: prepared.name,
      argv: prepared.argv,
      environment: prepared.environment,
      random,
      auxiliary: [
        [Auxiliary.SYSINFO_EHDR, env.vdso],
        [Auxiliary.MINSIGSTKSZ, env.minimumSignalStack],
        [Auxiliary.HWCAP, env.hwcap],
        [Auxiliary.PAGESZ, PAGE_SIZE],
        [Auxiliary.CLKTCK, 100],
        [Auxiliary.PHDR, image.programHeaders + bias],
        [Auxiliary.PHENT, PHDR_SIZE],
        [Auxiliary.PHNUM, image.programHeaderCount],
        [Auxiliary.BASE, interpreterBase],
        [Auxiliary.FLAGS, 0],
        [Auxiliary.ENTRY, owner.entry],
        [Auxiliary.UID, 0],
        [Auxiliary.EUID, 0],
        [Auxiliary.GID, 0],
        [Auxiliary.EGID, 0],
        [Auxiliary.SECURE, 0],
        [Auxiliary.HWCAP2, env.hwcap2],
      ],
    });
    owner.argStart = stack.argStart;
    owner.argEnd = stack.argEnd;
    owner.environmentStart = stack.environmentStart;
    owner.environmentEnd = stack.environmentEnd;
    owner.auxiliaryVector = stack.auxiliaryVector;
    owner.stackStart = stack.pointer;
    return { owner, entry, stackPointer: stack.pointer };
  } catch (error) {
    env.space.unmapAll(owner);
    if (error instanceof Errno) {
      const full = error.errno === E2BIG ? "arguments are too long" : "there is not enough memory for it";
      throw new ElfError(image.path, full, error.errno === E2BIG ? E2BIG : ENOMEM);
    }
    throw error;
  }
}
