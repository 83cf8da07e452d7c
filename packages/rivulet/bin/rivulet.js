#!/usr/bin/env node
// The command is that of the engine. It reads the words of this process.
import '@rivulet/engine/command';
