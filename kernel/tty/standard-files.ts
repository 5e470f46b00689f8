/** The files behind descriptors 0, 1 and 2 of the first application. */

import type { HostStream } from "../host.ts";
import type { Kernel } from "../kernel.ts";
import { S_IFMT, S_IFREG } from "../vfs/inode.ts";
import type { OpenFile } from "../vfs/open-file.ts";
import { O_RDONLY, O_RDWR, O_WRONLY } from "../vfs/open-flags.ts";
import { HostStreamFile } from "./host-stream-file.ts";
import type { TtyLayer } from "./tty-layer.ts";

/**
 * Host streams that are terminals become the console (one open file, as a login shell has), the others plain streams.
 * The files have no references yet: install them in a file table in this order.
 */
export function openStandardFiles(kernel: Kernel, layer: TtyLayer): [OpenFile, OpenFile, OpenFile] {
  const { clock, stdin, stdout, stderr } = kernel.host;
  let shared: OpenFile | undefined;
  const open = (stream: HostStream, flags: number, name: string): OpenFile => {
    if (stream.isTerminal && layer.console !== undefined) {
      shared ??= layer.open(
        layer.console,
        undefined,
        O_RDWR,
        kernel.mounts.resolve(undefined, "/dev/console"),
      );
      return shared;
    }
    return new HostStreamFile(stream, flags, `${isRegular(stream) ? "file" : "pipe"}:[${name}]`, clock);
  };
  return [open(stdin, O_RDONLY, "stdin"), open(stdout, O_WRONLY, "stdout"), open(stderr, O_WRONLY, "stderr")];
}

function isRegular(stream: HostStream): boolean {
  try {
    return ((stream.stat?.().mode ?? 0) & S_IFMT) === S_IFREG;
  } catch {
    return false;
  }
}
