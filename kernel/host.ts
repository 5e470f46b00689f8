/**
 * What the kernel asks of the world around it: time, chance, a terminal, directories. Implemented by `cli/host/` for
 * Node and `web/host/` for the browser, and by plain objects in tests. Nothing else in `kernel/` may reach outside.
 */

/** Nanoseconds since an arbitrary start and since 1970, both as JS numbers (exact to 2^53 ns = 104 days of monotonic
 * time; real time is seconds and nanoseconds apart to stay exact). */
export interface Clock {
  /** Nanoseconds since boot, never backwards. */
  monotonic(): number;
  /** Time of day. */
  realtime(): { seconds: number; nanoseconds: number };
  /** Calls back once after `ns` nanoseconds at the earliest. Returns a function that cancels. */
  after(ns: number, callback: () => void): () => void;
  /** Resolves after other pending host work (timers, input) had its turn. */
  yield(): Promise<void>;
}

export interface Entropy {
  fill(bytes: Uint8Array): void;
}

/** One end of a terminal, pipe or file that the host gave us as standard input, output or error. */
export interface HostStream {
  readonly isTerminal: boolean;
  /** Called with input as it comes; an empty array is end of file. Only for input streams; at most one listener.
   * Nothing is read from the host before somebody listens. */
  onData?(listener: (bytes: Uint8Array) => void): void;
  /** Stops and restarts onData while nobody wants more input. */
  pause?(): void;
  resume?(): void;
  /** fstat(2) of what is behind it, where the host knows. */
  stat?(): HostStat;
  /** Input that is a regular file: read by position, the first byte of input at `start`; onData is not used. */
  readonly source?: { readonly file: HostFile; readonly start: number };
  /** Writes everything, in order. Returns a promise only when the host wants us to slow down.
   * Throws {@link HostError} (EPIPE …). */
  write?(bytes: Uint8Array): void | Promise<void>;
  /** Terminals: rows and columns. */
  size?(): { rows: number; columns: number };
  onResize?(listener: () => void): void;
  /** Terminals: pass every key through, unechoed (our own line discipline does the rest). */
  setRaw?(raw: boolean): void;
}

/** A failed host operation, with Linux' name for what went wrong ("ENOENT"). */
export class HostError extends Error {
  constructor(
    readonly code: string,
    message: string = code,
  ) {
    super(message);
    this.name = "HostError";
  }
}

/** Times are nanoseconds since 1970 as bigint; modes as in stat(2). */
export interface HostStat {
  dev: number;
  ino: bigint;
  mode: number;
  nlink: number;
  uid: number;
  gid: number;
  rdev: number;
  size: number;
  blocks: number;
  atime: bigint;
  mtime: bigint;
  ctime: bigint;
}

export interface HostFile {
  /** Reads at a byte position; returns how many bytes came (0 at the end). */
  read(buffer: Uint8Array, position: number): number;
  write(buffer: Uint8Array, position: number): number;
  truncate(size: number): void;
  sync(): void;
  stat(): HostStat;
  close(): void;
  /** The same file opened again, for writing too; absent where the host cannot without a name. */
  reopen?(): HostFile;
  /** For files whose name is gone; absent where the host cannot. */
  chmod?(mode: number): void;
  chown?(uid: number, gid: number): void;
  utimes?(atime: bigint, mtime: bigint): void;
}

/** Space on the file system of a {@link HostDirectory}. */
export interface HostSpace {
  blockSize: number;
  blocks: number;
  freeBlocks: number;
  files: number;
  freeFiles: number;
}

/**
 * A directory tree of the host. Paths are relative to its root, "/"-separated, "" is the root itself. The kernel
 * resolves "..", symbolic links and mounts itself, one component at a time: implementations never follow a symbolic
 * link, not even in the middle of a path. All methods throw {@link HostError}.
 */
export interface HostDirectory {
  readonly readOnly: boolean;
  /** undefined when there is no such file: looking for what is not there is too common to throw. */
  lstat(path: string): HostStat | undefined;
  readdir(path: string): { name: string; ino: bigint; type: number /* d_type, DT_* */ }[];
  readlink(path: string): string;
  open(
    path: string,
    options: { write: boolean; create?: { mode: number; exclusive: boolean }; truncate?: boolean },
  ): HostFile;
  mkdir(path: string, mode: number): void;
  rmdir(path: string): void;
  unlink(path: string): void;
  rename(from: string, to: string): void;
  link(from: string, to: string): void;
  symlink(target: string, path: string): void;
  chmod(path: string, mode: number): void;
  chown(path: string, uid: number, gid: number): void;
  utimes(path: string, atime: bigint, mtime: bigint): void;
  statfs?(): HostSpace;
}

export interface Host {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly stdin: HostStream;
  readonly stdout: HostStream;
  readonly stderr: HostStream;
  /**
   * Touches memory on another thread, so that its first use does not have to wait for the host. Nobody may use it until the
   * promise is fulfilled; what it contains then is up to the host. Absent where there are no threads for that.
   */
  readonly prepareMemory?: (memory: Uint8Array) => Promise<void>;
}
