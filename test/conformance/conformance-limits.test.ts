import { testChapters } from "./chapter-tests.ts";
import { limits } from "./limits.ts";

// A case has up to 16 MiB to send, and as many that come back.
testChapters([limits], 2);
