/** An open device node. */

import type { Inode } from "./inode.ts";
import { OpenFile } from "./open-file.ts";
import type { Path } from "./path.ts";

export abstract class DeviceFile extends OpenFile {
  override readonly inode: Inode;

  constructor(
    flags: number,
    private readonly node: Path,
  ) {
    super(flags);
    this.inode = node.inode;
  }

  override describe(): string {
    return this.node.toString();
  }
}
