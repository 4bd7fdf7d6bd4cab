#!/usr/bin/env node
/** The executable: what it does is the program's, and here only that this is a process. */
import { runProgram } from "./program.ts";

process.exit(await runProgram(process.argv, process));
