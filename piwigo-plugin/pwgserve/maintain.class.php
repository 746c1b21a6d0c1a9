<?php
// Licence: Apache-2.0. What installing and removing the plugin does: it remembers one row, and takes it along.

defined('PHPWG_ROOT_PATH') or die('Hacking attempt!');

class pwgserve_maintain extends PluginMaintain
{
    public function install($plugin_version, &$errors = array())
    {
        if (version_compare(PHP_VERSION, '7.4', '<')) {
            $errors[] = 'pwgserve needs PHP 7.4 or newer';
        }
    }

    public function activate($plugin_version, &$errors = array())
    {
        // Whatever was known before may be wrong by now.
        conf_delete_param('pwgserve');
    }

    public function deactivate()
    {
    }

    public function update($old_version, $new_version, &$errors = array())
    {
        conf_delete_param('pwgserve');
    }

    public function uninstall()
    {
        conf_delete_param('pwgserve');
    }
}
