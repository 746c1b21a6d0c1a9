{* The page of the administration. Every value is escaped here; texts are in language/. *}
<style>
{literal}
.pwgserve { max-width: 60em; margin: 1em; text-align: left; }
.pwgserve table { border-collapse: collapse; margin-left: 0; }
.pwgserve td, .pwgserve th { padding: .35em .8em .35em 0; text-align: left; vertical-align: top; }
.pwgserve pre { background: rgba(127,127,127,.12); padding: 1em; overflow-x: auto; user-select: all; }
.pwgserve .ok { color: #2e7d32; } .pwgserve .bad { color: #c62828; font-weight: bold; } .pwgserve .unknown { opacity: .6; }
{/literal}
</style>
<div class="pwgserve">
{if $PWGSERVE_TAB == 'server' && !$pwgserve_servers}
  <p>{'pwgserve_server_by_init'|translate|escape:'html'}</p>
{elseif $PWGSERVE_TAB == 'server'}
  <p>{'pwgserve_server_intro'|translate|escape:'html'}</p>
  {foreach from=$pwgserve_servers key=name item=text}
  <fieldset>
    <legend>{$name|escape:'html'}</legend>
    <pre>{$text|escape:'html'}</pre>
  </fieldset>
  {/foreach}
  <p>{'pwgserve_server_more'|translate|escape:'html'}</p>
{else}
  <fieldset>
    <legend>{'pwgserve_checks'|translate|escape:'html'}</legend>
    <table>
      {foreach from=$pwgserve_checks item=check}
      {assign var=title value="pwgserve_check_`$check.name`"}
      {assign var=state value="pwgserve_state_`$check.state`"}
      <tr>
        <td>{$title|translate|escape:'html'}</td>
        <td class="{$check.state|escape:'html'}">{$state|translate|escape:'html'}</td>
      </tr>
      {/foreach}
    </table>
    {if $PWGSERVE_PROBLEM == ''}<p class="ok">{'pwgserve_signing'|translate|escape:'html'}</p>{/if}
  </fieldset>

  <fieldset>
    <legend>{'pwgserve_probe'|translate|escape:'html'}</legend>
    <p>{'pwgserve_probe_intro'|translate|escape:'html'}</p>
    {if $pwgserve_probe !== null}
    {if $pwgserve_probe}
    <table>
      {foreach from=$pwgserve_probe item=attempt}
      {assign var=title value="pwgserve_attempt_`$attempt.name`"}
      <tr>
        <td>{$title|translate|escape:'html'}</td>
        <td>{$attempt.status|escape:'html'}</td>
        <td class="{if $attempt.is_right}ok{else}bad{/if}">{if $attempt.is_right}{'pwgserve_right'|translate|escape:'html'}{elseif $attempt.name == 'control'}{'pwgserve_control_failed'|translate|escape:'html'}{else}{'pwgserve_leaks'|translate|escape:'html'}{/if}</td>
      </tr>
      {/foreach}
    </table>
    {else}
    <p>{'pwgserve_nothing_private'|translate|escape:'html'}</p>
    {/if}
    {/if}
    <form method="post" action="{$PWGSERVE_URL|escape:'html'}">
      <input type="hidden" name="pwg_token" value="{$PWGSERVE_TOKEN|escape:'html'}">
      <button type="submit" class="buttonLike" name="pwgserve_probe" value="1">{'pwgserve_probe_start'|translate|escape:'html'}</button>
    </form>
  </fieldset>

  {if $pwgserve_figures}
  <fieldset>
    <legend>{'pwgserve_figures'|translate|escape:'html'}</legend>
    <table>
      {foreach from=$pwgserve_figures key=name item=text}
      {assign var=title value="pwgserve_figure_`$name`"}
      <tr><td>{$title|translate|escape:'html'}</td><td>{$text|escape:'html'}</td></tr>
      {/foreach}
    </table>
    <form method="post" action="{$PWGSERVE_URL|escape:'html'}">
      <input type="hidden" name="pwg_token" value="{$PWGSERVE_TOKEN|escape:'html'}">
      <button type="submit" class="buttonLike" name="pwgserve_purge" value="1">{'pwgserve_purge'|translate|escape:'html'}</button>
      {'pwgserve_purge_about'|translate|escape:'html'}
    </form>
  </fieldset>
  {/if}
{/if}
</div>
