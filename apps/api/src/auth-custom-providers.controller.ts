import { CustomProviders, type CustomProviderRequest } from '@mainstay/auth';
import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, Query, Req, UseFilters, UseGuards, UseInterceptors } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AdminGuard } from './auth-admin.controller.ts';
import { CustomProviderInput } from './auth-custom-providers.inputs.ts';
import { deviceOf } from './auth-device.ts';
import { AuthHeaders } from './auth-version.ts';
import { AuthFilter } from './auth.filter.ts';
import { readInput } from './auth.inputs.ts';

/** Providers as `supabase.auth.admin.customProviders` sets them up. */
@Controller('auth/v1/admin/custom-providers')
@UseFilters(AuthFilter)
@UseInterceptors(AuthHeaders)
@UseGuards(AdminGuard)
export class AuthCustomProvidersController {
  constructor(private readonly providers: CustomProviders) {}

  @Get()
  async list(@Query('type') type: unknown): Promise<object> {
    return { providers: await this.providers.list(typeof type === 'string' ? type : '') };
  }

  @Post()
  @HttpCode(201)
  create(@Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    return this.providers.create(requestOf(body), deviceOf(request));
  }

  @Get(':identifier')
  get(@Param('identifier') identifier: string): Promise<object> {
    return this.providers.get(identifier);
  }

  @Put(':identifier')
  update(@Param('identifier') identifier: string, @Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    return this.providers.update(identifier, requestOf(body), deviceOf(request));
  }

  @Delete(':identifier')
  @HttpCode(204)
  async remove(@Param('identifier') identifier: string, @Req() request: FastifyRequest): Promise<void> {
    await this.providers.remove(identifier, deviceOf(request));
  }
}

function requestOf(body: unknown): CustomProviderRequest {
  const input = readInput(CustomProviderInput, body);
  return {
    type: input.provider_type, identifier: input.identifier, name: input.name, clientId: input.client_id, clientSecret: input.client_secret, acceptableClientIds: input.acceptable_client_ids, scopes: input.scopes,
    claimsAllowlist: input.custom_claims_allowlist, isPkceEnabled: input.pkce_enabled, attributeMapping: input.attribute_mapping, authorizationParams: input.authorization_params, isEnabled: input.enabled,
    isEmailOptional: input.email_optional, issuer: input.issuer, discoveryUrl: input.discovery_url, skipsNonceCheck: input.skip_nonce_check, authorizationUrl: input.authorization_url, tokenUrl: input.token_url,
    userinfoUrl: input.userinfo_url, jwksUri: input.jwks_uri,
  };
}
