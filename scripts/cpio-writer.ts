/** Writes cpio archives in the "newc" format (Linux, Documentation/driver-api/early-userspace/buffer-format.rst). */

const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;

/** Collects entries in the order in which they are to be unpacked: a directory before what is in it. */
export class CpioWriter {
  readonly #parts: Uint8Array[] = [];
  #inode = 1;

  directory(path: string, mode = 0o755): void {
    this.#entry(path, S_IFDIR | mode, new Uint8Array());
  }

  file(path: string, contents: Uint8Array | string, mode = 0o644): void {
    this.#entry(path, S_IFREG | mode, typeof contents === "string" ? Buffer.from(contents) : contents);
  }

  symlink(path: string, target: string): void {
    this.#entry(path, S_IFLNK | 0o777, Buffer.from(target));
  }

  /** The archive. */
  finish(): Uint8Array {
    this.#entry("TRAILER!!!", 0, new Uint8Array());
    return Buffer.concat(this.#parts);
  }

  #entry(path: string, mode: number, contents: Uint8Array): void {
    const name = Buffer.from(`${path}\0`);
    const inode = mode === 0 ? 0 : this.#inode++;
    const links = (mode & S_IFDIR) !== 0 && (mode & S_IFREG) === 0 ? 2 : 1;
    // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
    const fields = [inode, mode, 0, 0, links, 0, contents.length, 0, 0, 0, 0, name.length, 0];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
    this.#padded(Buffer.concat([Buffer.from(header), name]));
    this.#padded(contents);
  }

  /** Header with name, and contents, each end on a multiple of four. */
  #padded(bytes: Uint8Array): void {
    this.#parts.push(bytes, Buffer.alloc(-bytes.length & 3));
  }
}
