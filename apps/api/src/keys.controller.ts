import { KeysService, type KeyView, type SigningKeyView } from '@mainstay/auth';
import { isService, type Caller } from '@mainstay/domain';
import { Body, Controller, Delete, Get, HttpCode, Param, Post, Req, UseFilters, UseGuards, UseInterceptors } from '@nestjs/common';
import { IsOptional, IsString } from 'class-validator';
import type { FastifyRequest } from 'fastify';
import { deviceOf } from './auth-device.ts';
import { AuthHeaders } from './auth-version.ts';
import { readInput } from './auth.inputs.ts';
import { Asker, CallerGuard } from './caller.guard.ts';
import { edgeFault } from './edge-faults.ts';
import { SurfaceFilter } from './surface.filter.ts';

class KeyInput {
  @IsString() name = '';
  @IsString() kind = 'secret';
  @IsString() role = '';
  @IsOptional() @IsString() expires_at: string | null = null;
}

/** `/keys/v1`: API keys and signing keys. Who holds one of them may do much: for the service key only. */
@Controller('keys/v1')
@UseGuards(CallerGuard)
@UseFilters(SurfaceFilter)
@UseInterceptors(AuthHeaders)
export class KeysController {
  constructor(private readonly keys: KeysService) {}

  @Get()
  list(@Asker() caller: Caller): Promise<KeyView[]> {
    refuseStranger(caller);
    return this.keys.list();
  }

  @Post()
  create(@Asker() caller: Caller, @Body() body: unknown, @Req() request: FastifyRequest): Promise<KeyView & { readonly key: string }> {
    refuseStranger(caller);
    const { expires_at: expiresAt, ...input } = readInput(KeyInput, body);
    return this.keys.create({ ...input, expiresAt }, deviceOf(request));
  }

  @Get('signing')
  listSigning(@Asker() caller: Caller): Promise<SigningKeyView[]> {
    refuseStranger(caller);
    return this.keys.listSigning();
  }

  @Post('signing/rotate')
  @HttpCode(200)
  rotate(@Asker() caller: Caller, @Req() request: FastifyRequest): Promise<SigningKeyView[]> {
    refuseStranger(caller);
    return this.keys.rotate(deviceOf(request));
  }

  @Delete('signing/:kid')
  @HttpCode(204)
  async revokeSigning(@Asker() caller: Caller, @Param('kid') kid: string, @Req() request: FastifyRequest): Promise<void> {
    refuseStranger(caller);
    await this.keys.revokeSigning(kid, deviceOf(request));
  }

  @Delete(':id')
  @HttpCode(204)
  async revoke(@Asker() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest): Promise<void> {
    refuseStranger(caller);
    await this.keys.revoke(id, deviceOf(request));
  }
}

function refuseStranger(caller: Caller): void {
  if (!isService(caller)) throw edgeFault('service_role_needed');
}
