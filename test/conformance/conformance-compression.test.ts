// Here by name, so that the long form runs it too: it has more messages for each case then.
import "../support/seed.ts";
import { testChapters } from "./chapter-tests.ts";
import { compressionAsOffered, compressionOfKinds } from "./compression.ts";

testChapters([compressionOfKinds, compressionAsOffered], 8);
