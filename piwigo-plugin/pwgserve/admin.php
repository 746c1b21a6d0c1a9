<?php
// The page of the administration: what is checked and shown is in include/Administration.php, how, in template/admin.tpl.

defined('PHPWG_ROOT_PATH') or die('Hacking attempt!');

check_status(ACCESS_WEBMASTER);

global $page, $template, $pwgserve;
include_once PHPWG_ROOT_PATH . 'admin/include/tabsheet.class.php';
load_language('plugin.lang', PWGSERVE_PATH);

$pwgserve_url = get_root_url() . 'admin.php?page=plugin-pwgserve';
$pwgserve_tab = isset($_GET['tab']) && $_GET['tab'] === 'server' ? 'server' : 'status';
$pwgserve_tabs = new tabsheet();
$pwgserve_tabs->set_id('pwgserve');
$pwgserve_tabs->add('status', l10n('pwgserve_tab_status'), $pwgserve_url);
$pwgserve_tabs->add('server', l10n('pwgserve_tab_server'), $pwgserve_url . '&amp;tab=server');
$pwgserve_tabs->select($pwgserve_tab);
$pwgserve_tabs->assign();

$pwgserve_admin = new Pwgserve\Administration($pwgserve);
$pwgserve_problem = $pwgserve_admin->problem();
$pwgserve_probe = null;

if (isset($_POST['pwgserve_purge']) || isset($_POST['pwgserve_probe'])) {
    check_pwg_token();
    if (isset($_POST['pwgserve_probe'])) {
        try {
            $pwgserve_probe = new Pwgserve\LeakProbe(new Pwgserve\Photos(), get_absolute_root_url(), $pwgserve_admin->prefix());
            $pwgserve_probe = $pwgserve_probe->run();
        } catch (Pwgserve\Problem $problem) {
            $pwgserve_probe = null;
            $page['errors'][] = l10n('pwgserve_' . $problem->getMessage());
        }
    } else {
        try {
            (new Pwgserve\Daemon($pwgserve->keys()))->ask('purge', array('all' => true), 5.0);
            $page['infos'][] = l10n('pwgserve_purging');
        } catch (Pwgserve\Problem $problem) {
            $page['errors'][] = l10n('pwgserve_' . $problem->getMessage());
        }
    }
}
if ($pwgserve_problem !== '') {
    $page['warnings'][] = l10n('pwgserve_legacy') . ' ' . l10n('pwgserve_' . $pwgserve_problem);
}

$template->set_filename('pwgserve_admin', PWGSERVE_PATH . 'template/admin.tpl');
$template->assign(array(
    'ADMIN_PAGE_TITLE' => 'pwgserve',
    'PWGSERVE_URL' => $pwgserve_url,
    'PWGSERVE_TAB' => $pwgserve_tab,
    'PWGSERVE_PROBLEM' => $pwgserve_problem,
    'PWGSERVE_TOKEN' => get_pwg_token(),
    'pwgserve_checks' => $pwgserve_admin->checks($pwgserve_problem),
    'pwgserve_figures' => $pwgserve_problem === '' ? $pwgserve_admin->figures() : array(),
    'pwgserve_servers' => $pwgserve_admin->webServer(),
    'pwgserve_probe' => $pwgserve_probe,
));
$template->assign_var_from_handle('ADMIN_CONTENT', 'pwgserve_admin');
