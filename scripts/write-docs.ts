/** Writes the pages of docs/ that are made from the source. It takes no options. */
import { writeFileSync } from "node:fs";
import { referencePage } from "../src/config/reference.ts";

// From dist/scripts to the package's root.
writeFileSync(new URL("../../docs/configuration.md", import.meta.url), referencePage());
