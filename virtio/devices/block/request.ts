/** One request to a block device: OASIS virtio 1.2, 5.2.6 "Device Operation". */

import { type BlockBackend, BlockError, SECTOR_BYTES } from "../../../devices/storage/block-backend.ts";
import type { DescriptorChain } from "../../queue/descriptor-chain.ts";
import { QueueError } from "../../queue/split-queue.ts";

/** struct virtio_blk_req: le32 type, le32 reserved, le64 sector, data, u8 status. */
const HEADER_BYTES = 16;
const STATUS_BYTES = 1;

export const RequestType = { In: 0, Out: 1, Flush: 4, GetId: 8 } as const;
export const RequestStatus = { Ok: 0, IoError: 1, Unsupported: 2 } as const;
const ID_BYTES = 20;

/** Longer transfers are done in pieces, so that a request needs little memory of ours. */
const PIECE_BYTES = 2 ** 20;

/** What came of it: the status byte, and how many bytes of data the device has written. */
export interface Result {
  readonly status: number;
  readonly written: number;
}

/**
 * Carries a request out, and writes its status byte.
 * @returns how many bytes of the chain's writable part count as written
 * @throws QueueError for a chain that has no room for header and status
 */
export function serve(
  chain: DescriptorChain,
  backend: BlockBackend,
  serial: string,
): number | Promise<number> {
  const header = chain.read(0, HEADER_BYTES);
  const room = chain.writableLength - STATUS_BYTES;
  if (header.length < HEADER_BYTES || room < 0)
    throw new QueueError("a block request without header or status");
  const finish = ({ status, written }: Result): number => {
    chain.write(room, new Uint8Array([status])); // the status is the last byte
    return status === RequestStatus.Ok ? written + STATUS_BYTES : room + STATUS_BYTES;
  };
  const fail = (error: unknown): number => {
    if (!(error instanceof BlockError)) throw error;
    return finish({ status: RequestStatus.IoError, written: 0 });
  };
  try {
    const result = carryOut(chain, header, room, backend, serial);
    return result instanceof Promise ? result.then(finish, fail) : finish(result);
  } catch (error) {
    return fail(error);
  }
}

function carryOut(
  chain: DescriptorChain,
  header: Uint8Array,
  room: number,
  backend: BlockBackend,
  serial: string,
): Result | Promise<Result> {
  const view = new DataView(header.buffer, header.byteOffset, HEADER_BYTES);
  const sector = view.getUint32(12, true) * 2 ** 32 + view.getUint32(8, true);
  const ok = (written: number): Result => ({ status: RequestStatus.Ok, written });
  switch (view.getUint32(0, true)) {
    case RequestType.In: {
      checkExtent(backend, sector, room);
      const done = inPieces(room, (offset, length) => {
        const bytes = new Uint8Array(length);
        const reading = backend.read(sector * SECTOR_BYTES + offset, bytes);
        if (reading !== undefined) return reading.then(() => chain.write(offset, bytes));
        chain.write(offset, bytes);
        return undefined;
      });
      return done === undefined ? ok(room) : done.then(() => ok(room));
    }
    case RequestType.Out: {
      const length = chain.readableLength - HEADER_BYTES;
      if (backend.isReadOnly) throw new BlockError("the disk is read-only");
      checkExtent(backend, sector, length);
      const done = inPieces(length, (offset, count) =>
        backend.write(sector * SECTOR_BYTES + offset, chain.read(HEADER_BYTES + offset, count)),
      );
      return done === undefined ? ok(0) : done.then(() => ok(0));
    }
    case RequestType.Flush: {
      const flushing = backend.flush();
      return flushing === undefined ? ok(0) : flushing.then(() => ok(0));
    }
    case RequestType.GetId: {
      const id = new Uint8Array(Math.min(ID_BYTES, room));
      for (let index = 0; index < Math.min(id.length, serial.length); index++)
        id[index] = serial.charCodeAt(index) & 0x7f;
      chain.write(0, id);
      return ok(id.length);
    }
    default:
      return { status: RequestStatus.Unsupported, written: 0 };
  }
}

/** Whole sectors, inside the disk. */
function checkExtent(backend: BlockBackend, sector: number, length: number): void {
  if (length % SECTOR_BYTES !== 0) throw new BlockError("a transfer of less than a sector");
  const end = sector + length / SECTOR_BYTES;
  if (!Number.isSafeInteger(end) || end > backend.size / SECTOR_BYTES)
    throw new BlockError("beyond the end of the disk");
}

/** Does one piece after the other; as a promise as soon as a piece is one. */
function inPieces(
  length: number,
  transfer: (offset: number, length: number) => void | Promise<void>,
): void | Promise<void> {
  for (let offset = 0; offset < length; offset += PIECE_BYTES) {
    const waiting = transfer(offset, Math.min(PIECE_BYTES, length - offset));
    if (waiting === undefined) continue;
    const rest = offset + PIECE_BYTES;
    return waiting.then(() =>
      rest < length ? inPieces(length - rest, (at, count) => transfer(rest + at, count)) : undefined,
    );
  }
  return undefined;
}
