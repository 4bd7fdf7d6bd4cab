/**
 * The JSON Schema that editors complete and check `headgate.yaml` with. It is the schema's own,
 * but for numbers and booleans, which may also be filled in from a variable or a file.
 */
import { z } from "zod";
import { configurationSchema } from "./schema.ts";

const REFERENCE = "^\\$\\{[^{}]+\\}$";

export function editorSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(configurationSchema, {
    io: "input",
    target: "draft-7",
    override: ({ jsonSchema }) => {
      if (jsonSchema.type !== "integer" && jsonSchema.type !== "boolean") return;
      // JSON Schema applies a pattern to text alone, and the range to numbers alone.
      Object.assign(jsonSchema, { type: [jsonSchema.type, "string"], pattern: REFERENCE });
    },
  });
  return { ...schema, title: "Headgate's configuration" };
}
