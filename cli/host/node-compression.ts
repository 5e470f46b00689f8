/** gzip by Node's zlib, on its threads. */

import { promisify } from "node:util";
import { constants, gunzip, gzip } from "node:zlib";
import type { Compression } from "../../devices/snapshot/snapshot-host.ts";

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/** Memory of running systems: level 1 is four times as fast as 6, and makes the file a tenth longer. */
const LEVEL = constants.Z_BEST_SPEED;

export const nodeCompression: Compression = {
  compress: (bytes) => compress(bytes, { level: LEVEL }),
  async decompress(bytes, length) {
    const content = await decompress(bytes, { maxOutputLength: Math.max(length, 1) });
    if (content.length !== length) throw new RangeError(`${content.length} bytes came, not ${length}`);
    return content;
  },
};
