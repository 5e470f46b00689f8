/** Where the benchmark keeps what it builds, generates and measures; may be deleted at any time. */

import { join } from "node:path";
import { CACHE } from "../scripts/repository.ts";

export const BENCH_CACHE = join(CACHE, "bench");
