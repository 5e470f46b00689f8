import type { Clock } from "../host.ts";
import type { FileSystem } from "../vfs/inode.ts";
import { RamFs } from "./ramfs.ts";
export class OverlayFs extends RamFs { constructor(readonly lower: FileSystem, clock: Clock) { super(clock); } }
