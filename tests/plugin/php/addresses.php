<?php
// Writes as JSON what pages would hold: addresses.php ROOT DATABASE COOKIE WAY [MORE]. Ways: page; answer (of ws.php);
// recipient (a page written as another user); feed (of the visitor); batch (the batch manager's); mail (to the users named);
// letter (the same, from a page that does not say so before, and may write as another user); missing (calls of batch generation);
// probe (the leak probe's results, at a gallery's address with a prefix); state (what the plugin knows of the daemon).

require __DIR__ . '/harness.php';
require __DIR__ . '/gallery.php';

list(, $root, $database, $cookie, $way) = $argv;
if ($cookie !== '') {
    $_COOKIE['pwg_id'] = $cookie;
}
if (getenv('ACCEPT') !== false) {
    $_SERVER['HTTP_ACCEPT'] = getenv('ACCEPT');
}
if ($way === 'mail') {
    define('IN_ADMIN', true);
    $_POST['submitEmail'] = '1';
}
begin($root, $database, true);
$rows = rows();
if ($way === 'batch') {
    $page = array('cat_elements_id' => array_column($rows, 'id'));
    trigger_notify('loc_begin_element_set_global');
} else {
    trigger_notify('loc_begin_index_thumbnails', $rows);
}
$before = Database::$questions;

if ($way === 'feed') {
    $script = 'feed';
}
$as = $way === 'recipient' ? 5 : 6;
if (in_array($way, array('recipient', 'letter'), true) && isset($argv[$as])) {
    // As Piwigo writes notification mails: as the recipient, in somebody else's request.
    $user = user_row((int) $argv[$as]);
}
$service = new StandInService();
if ($way === 'answer') {
    trigger_notify('ws_add_methods', array($service));
}
$found = array();
foreach ($rows as $row) {
    $found[$row['id']] = array('sq' => derivative_url($row, 'square'), 'me' => derivative_url($row, 'medium'), 'e' => source_url($row));
    if ($way === 'answer') {
        $found[$row['id']]['element_url'] = embellish_url(get_root_url() . $row['path']);
        $found[$row['id']]['download_url'] = get_action_url($row['id'], 'e', true);
    }
}
if ($way === 'mail' || $way === 'letter') {
    $mail = new StandInMail('<img src="' . $found[2]['me'] . '"> <img src="' . $found[1]['me'] . '">', explode(',', $argv[5]));
    same(true, trigger_change('before_send_mail', true, '', array(), $mail));
    echo json_encode(array('body' => $mail->Body));
    exit;
}
if ($way === 'missing') {
    trigger_notify('ws_add_methods', array($service));
    $asked = array('types' => array('square'), 'max_urls' => 1000, 'prev_page' => 0, 'ids' => null);
    $missing = $service->call('pwg.getMissingDerivatives', $asked);
    $address = end($missing['urls']);
    parse_str((string) parse_url($address, PHP_URL_QUERY), $query);
    $made = $service->call($query['method'], array('photo' => $query['photo'], 'size' => $query['size']));
    $rest = $service->call('pwg.getMissingDerivatives', $asked);
    $wrong = $service->call('pwg.getMissingDerivatives', array('types' => array('huge')) + $asked);
    ob_end_clean();
    echo json_encode(array('first' => $missing, 'made' => $made, 'rest' => $rest, 'wrong' => $wrong->code));
    exit;
}
if ($way === 'probe') {
    try {
        echo json_encode((new Pwgserve\LeakProbe(new Pwgserve\Photos(), $argv[5], $argv[6]))->run());
    } catch (Pwgserve\Problem $problem) {
        echo json_encode($problem->getMessage());
    }
    exit;
}
$state = json_decode(isset($conf["pwgserve"]) ? (string) $conf["pwgserve"] : "", true);
if ($way === 'state') {
    echo json_encode($state);
    exit;
}
echo json_encode(array(
    'photos' => $found,
    'questions' => Database::$questions - $before,
    'style' => $conf['derivative_url_style'],
    'problem' => isset($state['problem']) ? $state['problem'] : null,
));
