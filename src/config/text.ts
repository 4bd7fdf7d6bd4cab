/**
 * A text with a check of its own, for the schema: what is wrong is one sentence. What the texts
 * are and what is wrong with them is for their owners to know.
 */
import { z } from "zod";

/** `mistakeIn` gives a sentence that says what is wrong, or undefined. */
export function text(mistakeIn: (text: string) => string | undefined) {
  return z.string().superRefine((value, context) => {
    const message = mistakeIn(value);
    if (message !== undefined) context.addIssue({ code: "custom", message });
  });
}
