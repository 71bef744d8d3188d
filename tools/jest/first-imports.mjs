import 'reflect-metadata';
import '@nestjs/common';
import '@nestjs/core';

// A package that imports node:process opens stdin here, since Jest reads every field of what it hands out; and an open stdin
// keeps a worker of Jest's alive.
if (process.send !== undefined) process.stdin.unref?.();
