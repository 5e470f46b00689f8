/** `--disk FILE[,format=raw][,ro][,snapshot]`: disks as the command line names them. */

import { InvalidArgumentError } from "commander";
import type { BlockBackend } from "../devices/storage/block-backend.ts";
import { imageFormat } from "../devices/storage/image-format.ts";
import { SnapshotOverlay } from "../devices/storage/snapshot-overlay.ts";
import { CommandError } from "./command-error.ts";
import { describeFileError } from "./file-error.ts";
import { NodeDisk } from "./host/node-disk.ts";

export interface DiskOption {
  readonly path: string;
  /** Taken as it is, whatever it looks like. */
  readonly isRaw: boolean;
  readonly isReadOnly: boolean;
  /** Changes stay in memory. */
  readonly isSnapshot: boolean;
}

/** Commas in the file's name are written twice, as for QEMU. */
export function parseDisk(text: string, before: readonly DiskOption[]): DiskOption[] {
  const [path = "", ...settings] = text.split(/(?<!,),(?!,)/).map((word) => word.replaceAll(",,", ","));
  if (path === "") throw new InvalidArgumentError("Name the file of the disk.");
  let [isRaw, isReadOnly, isSnapshot] = [false, false, false];
  for (const setting of settings) {
    if (setting === "ro") isReadOnly = true;
    else if (setting === "snapshot") isSnapshot = true;
    else if (setting === "format=raw") isRaw = true;
    else if (setting.startsWith("format="))
      throw new InvalidArgumentError(
        `This version has raw disks only; convert it with: qemu-img convert -O raw ${path} disk.img.`,
      );
    else
      throw new InvalidArgumentError(
        "A disk has: format=raw, ro, snapshot; a comma in its name is written twice.",
      );
  }
  return [...before, { path, isRaw, isReadOnly, isSnapshot }];
}

/** Disks that are open; to be closed at the end. */
export class OpenDisks {
  readonly backends: readonly BlockBackend[];
  private readonly files: NodeDisk[] = [];

  /** @throws CommandError */
  constructor(options: readonly DiskOption[]) {
    this.backends = options.map((option) => this.open(option));
  }

  private open({ path, isRaw, isReadOnly, isSnapshot }: DiskOption): BlockBackend {
    let file: NodeDisk;
    try {
      file = new NodeDisk(path, isReadOnly || isSnapshot);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : "";
      if ((code === "EACCES" || code === "EROFS") && !isReadOnly && !isSnapshot)
        throw new CommandError(`--disk ${path}: may not be written; add ,ro or ,snapshot`);
      throw describeFileError(`--disk ${path}`, error);
    }
    this.files.push(file);
    if (file.size === 0) throw new CommandError(`--disk ${path}: is empty`);
    const head = new Uint8Array(Math.min(file.size, 512));
    file.read(0, head);
    const format = isRaw ? undefined : imageFormat(head);
    if (format !== undefined) {
      const advice =
        format.kind === "compressed"
          ? "unpack it first"
          : `this version has raw disks only: qemu-img convert -O raw ${path} disk.img`;
      throw new CommandError(`--disk ${path}: is ${format.name}; ${advice}`);
    }
    return isSnapshot ? new SnapshotOverlay(file) : file;
  }

  close(): void {
    for (const file of this.files) file.close();
  }
}
