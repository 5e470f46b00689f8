/**
 * Source maps (ECMA-426) that lead from generated code to the listing of the guest's instructions: line to line.
 */

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Base64 VLQ: five bits a digit, the lowest first; the sign is the lowest bit. */
function vlq(value: number): string {
  let rest = value < 0 ? (-value << 1) | 1 : value << 1;
  let text = "";
  do {
    const digit = rest & 31;
    rest >>>= 5;
    text += BASE64[digit | (rest > 0 ? 32 : 0)];
  } while (rest > 0);
  return text;
}

/**
 * @param lines for each line of the code the line of the listing that it belongs to, or -1 if to none
 * @returns a data: URL for a `sourceMappingURL`
 */
export function sourceMapUrl(source: string, listing: string, lines: readonly number[]): string {
  let previous = 0;
  const mappings = lines.map((line) => {
    // One number alone: the code at this column comes from nowhere.
    if (line < 0) return vlq(0);
    const segment = vlq(0) + vlq(0) + vlq(line - previous) + vlq(0);
    previous = line;
    return segment;
  });
  const map = {
    version: 3,
    sources: [source],
    sourcesContent: [listing],
    names: [],
    mappings: mappings.join(";"),
  };
  return `data:application/json;charset=utf-8,${encodeURIComponent(JSON.stringify(map))}`;
}
