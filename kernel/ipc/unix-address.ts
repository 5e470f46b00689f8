/** Names of AF_UNIX sockets (unix(7)): paths, and abstract names that begin with a zero byte. */

import { EADDRINUSE, ECONNREFUSED, EEXIST, EINVAL, EPROTOTYPE, Errno } from "../errno.ts";
import type { Thread } from "../sched/thread.ts";
import { type Inode, S_IFSOCK } from "../vfs/inode.ts";
import { decodeName, encodeName } from "../vfs/names.ts";
import { makeNode } from "../vfs/namespace.ts";
import { AF_UNIX } from "./socket-file.ts";
import type { UnixSocket } from "./unix-socket.ts";

/** sizeof(struct sockaddr_un) */
const ADDRESS_SIZE = 110;
const FAMILY_SIZE = 2;

export type UnixName =
  | { readonly kind: "path"; readonly path: string }
  | { readonly kind: "abstract"; readonly name: string };

/** What an address names; undefined for a family alone, which asks for a name to be chosen. Throws EINVAL. */
export function parseAddress(address: Uint8Array): UnixName | undefined {
  if (address.length < FAMILY_SIZE || address.length > ADDRESS_SIZE) throw new Errno(EINVAL);
  if ((address[0] | (address[1] << 8)) !== AF_UNIX) throw new Errno(EINVAL);
  const name = address.subarray(FAMILY_SIZE);
  if (name.length === 0) return undefined;
  if (name[0] === 0) return { kind: "abstract", name: decodeName(name, 1) };
  const end = name.indexOf(0);
  return { kind: "path", path: decodeName(name, 0, end < 0 ? name.length : end) };
}

/** The address as getsockname(2) gives it. */
export function encodeAddress(name: UnixName | undefined): Uint8Array {
  const bytes =
    name === undefined
      ? []
      : name.kind === "path"
        ? [...encodeName(name.path), 0]
        : [0, ...encodeName(name.name)];
  return Uint8Array.from([AF_UNIX, 0, ...bytes]);
}

/** Sockets with a name: by inode, so that links and renames do not matter, and by abstract name. */
const byInode = new WeakMap<Inode, UnixSocket>();
const byAbstractName = new Map<string, UnixSocket>();
let nextAutomatic = 0;

/** bind(2). Returns the name; throws EADDRINUSE and what making a file can throw. */
export function bindName(thread: Thread, socket: UnixSocket, wanted: UnixName | undefined): UnixName {
  if (wanted?.kind === "path") {
    try {
      byInode.set(makeNode(thread, wanted.path, S_IFSOCK | 0o777, 0, {}), socket);
    } catch (error) {
      throw error instanceof Errno && error.errno === EEXIST ? new Errno(EADDRINUSE) : error;
    }
    return wanted;
  }
  const name = wanted?.name ?? automaticName();
  if (byAbstractName.has(name)) throw new Errno(EADDRINUSE);
  byAbstractName.set(name, socket);
  return { kind: "abstract", name };
}

/** Autobind: five hexadecimal digits (unix(7)). */
function automaticName(): string {
  for (;;) {
    const name = (nextAutomatic++ & 0xfffff).toString(16).padStart(5, "0");
    if (!byAbstractName.has(name)) return name;
  }
}

/** The socket is closed; a file it made stays and leads nowhere. */
export function releaseName(socket: UnixSocket, name: UnixName | undefined): void {
  if (name?.kind === "abstract" && byAbstractName.get(name.name) === socket) byAbstractName.delete(name.name);
}

/** The socket of a name. Throws ECONNREFUSED, EPROTOTYPE, and what looking for a file can throw. */
export function findSocket(thread: Thread, name: UnixName, type: number): UnixSocket {
  let socket: UnixSocket | undefined;
  if (name.kind === "path") {
    const { inode } = thread.kernel.mounts.resolve(thread, name.path);
    if (inode.type !== S_IFSOCK) throw new Errno(ECONNREFUSED);
    socket = byInode.get(inode);
  } else {
    socket = byAbstractName.get(name.name);
  }
  if (socket === undefined || socket.closed) throw new Errno(ECONNREFUSED);
  if (socket.type !== type) throw new Errno(EPROTOTYPE);
  return socket;
}
